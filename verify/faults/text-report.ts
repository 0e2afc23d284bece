import Table from "cli-table3";
import type { FaultName } from "../../simulation/faults.ts";
import { CALL_FAULTS } from "../../simulation/faults.ts";
import { duration, lettersOf, type Summary } from "./summary.ts";

/** The matrix for a terminal: one table for the faults of a call, one for those of a whole invocation. */
export function matrixText(summary: Summary): string {
  const isOfCall = (fault: FaultName): boolean => fault in CALL_FAULTS;
  const legend = summary.faults.map((fault, index) => `${String(index + 1).padStart(2)} ${fault}`);
  return [
    "Faults:",
    ...columns(legend, 3),
    "",
    "How the volumes ended (A available, E error, G gone, D deleting; ! a violation) and how much later than undisturbed they rest, at most:",
    tableOf(summary, summary.faults.filter(isOfCall)),
    tableOf(
      summary,
      summary.faults.filter((fault) => !isOfCall(fault)),
    ),
  ].join("\n");
}

function tableOf({ rows, faults }: Summary, shown: readonly FaultName[]): string {
  const table = new Table({
    head: ["", ...shown.map((fault) => String(faults.indexOf(fault) + 1))],
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 1 },
    chars: NO_LINES,
  });
  for (const { functionName, squares } of rows) {
    table.push([
      functionName,
      ...shown.map((fault) => {
        const square = squares[fault];
        return square === undefined
          ? ""
          : `${square.violated > 0 ? "!" : ""}${lettersOf(square)} ${duration(square.slowestSeconds)}`;
      }),
    ]);
  }
  return table.toString();
}

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};

function columns(lines: readonly string[], count: number): string[] {
  const height = Math.ceil(lines.length / count);
  return Array.from({ length: height }, (_row, row) =>
    Array.from({ length: count }, (_column, column) => (lines[column * height + row] ?? "").padEnd(34))
      .join("")
      .trimEnd(),
  );
}
