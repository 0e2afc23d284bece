import { CALL_FAULTS } from "../../simulation/faults.ts";
import { duration, lettersOf, type Square, type Summary } from "./summary.ts";

const LEFT = 190;
const TOP = 190;
const WIDTH = 44;
const HEIGHT = 26;
const FONT = "font-family='Helvetica, Arial, sans-serif'";

/** The longest delay until rest as a shade: the darker, the longer; red is a violation. */
const SHADES: readonly [upToSeconds: number, fill: string, text: string][] = [
  [10, "#e3f4e8", "#143d23"],
  [100, "#b9e2c5", "#143d23"],
  [1000, "#f3e2a2", "#4a3a05"],
  [Infinity, "#e7b771", "#4d2d05"],
];
const VIOLATED = ["#c0392b", "#ffffff"] as const;

/** The matrix as `docs/fault-matrix.svg`: functions by faults. */
export function pictureOf({ rows, faults }: Summary): string {
  const width = LEFT + faults.length * WIDTH + 100;
  const height = TOP + rows.length * HEIGHT + 70;
  const callFaults = faults.filter((fault) => fault in CALL_FAULTS).length;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    "<title>Fault matrix: functions by faults, with the longest delay until rest</title>",
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...faults.map((fault, index) => {
      const x = LEFT + index * WIDTH + WIDTH / 2 + 4;
      const y = TOP - 8;
      return `<text x="${x}" y="${y}" transform="rotate(-50 ${x} ${y})" ${FONT} font-size="12" fill="#222222">${escaped(fault)}</text>`;
    }),
    ...rows.flatMap(({ functionName, squares }, row) => [
      `<text x="${LEFT - 8}" y="${TOP + row * HEIGHT + 17}" text-anchor="end" ${FONT} font-size="12" fill="#222222">${functionName}</text>`,
      ...faults.map((fault, column) => squareOf(squares[fault], LEFT + column * WIDTH, TOP + row * HEIGHT)),
    ]),
    `<line x1="${LEFT + callFaults * WIDTH - 1}" y1="${TOP - 4}" x2="${LEFT + callFaults * WIDTH - 1}" y2="${TOP + rows.length * HEIGHT}" stroke="#222222" stroke-width="1.5"/>`,
    ...legend(TOP + rows.length * HEIGHT + 26),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

function squareOf(square: Square | undefined, x: number, y: number): string {
  if (square === undefined) {
    return `<rect x="${x}" y="${y}" width="${WIDTH - 2}" height="${HEIGHT - 2}" fill="#f6f6f6"/>`;
  }
  const [, fill, color] =
    square.violated > 0
      ? [0, ...VIOLATED]
      : (SHADES.find(([upTo]) => square.slowestSeconds < upTo) ?? [0, "#ffffff", "#222222"]);
  return [
    `<rect x="${x}" y="${y}" width="${WIDTH - 2}" height="${HEIGHT - 2}" fill="${fill}"/>`,
    `<text x="${x + WIDTH / 2 - 1}" y="${y + 11}" text-anchor="middle" ${FONT} font-size="9" fill="${color}">${lettersOf(square)}</text>`,
    `<text x="${x + WIDTH / 2 - 1}" y="${y + 21}" text-anchor="middle" ${FONT} font-size="9" fill="${color}">${duration(square.slowestSeconds)}</text>`,
  ].join("");
}

function legend(y: number): string[] {
  const entries: [fill: string, text: string][] = [
    ["#e3f4e8", "at rest 10 s later"],
    ["#b9e2c5", "100 s later"],
    ["#f3e2a2", "1,000 s later"],
    ["#e7b771", "longer: the sweep"],
    [VIOLATED[0], "an invariant is broken"],
    ["#f6f6f6", "does not occur"],
  ];
  const squares = entries.flatMap(([fill, text], index) => [
    `<rect x="${LEFT + index * 170}" y="${y - 11}" width="14" height="14" fill="${fill}"/>`,
    `<text x="${LEFT + index * 170 + 20}" y="${y}" ${FONT} font-size="12" fill="#222222">${text}</text>`,
  ]);
  const letters =
    "How volumes ended: A available, E error, G gone, D deleting. Left of the line: faults of one call; right of it: of an invocation.";
  return [...squares, `<text x="${LEFT}" y="${y + 24}" ${FONT} font-size="12" fill="#222222">${letters}</text>`];
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}
