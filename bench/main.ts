import { parseArgs, styleText } from "node:util";
import Table from "cli-table3";
import { estimate } from "../cli/cost/estimate.ts";
import prices from "../cli/cost/prices.json" with { type: "json" };
import { priced } from "../cli/cost/receipt.ts";
import { benchApi, type ApiBenchResult } from "./api.ts";
import { benchBundles } from "./bundles.ts";
import { type CallCounts, benchCalls } from "./calls.ts";
import { benchClones } from "./clones.ts";
import { benchCreates } from "./creates.ts";
import { benchImages } from "./images.ts";
import { benchOperator, type OperatorResult } from "./operator.ts";
import { benchLargeImages } from "./large-image/large-image.ts";
import { benchScale, createsPerSecond, type ScaleResult } from "./scale/scale.ts";

const HELP = `Measures Cinderless on this machine, in the embedded cloud.

Usage: npm run bench -- [PART...] [options]

Parts (all of these without a name):
  creates   raw creates from message to available: one at a time, then with 32 in flight
  calls     what one raw create costs: state transitions, SDK calls, DynamoDB units, bytes of state
  bundles   size of each function's bundle, and the time to import it
  images    an image of 1 GiB (40 % data) into a volume, from the bucket and from Glance, raw and qcow2, compared
            with cp, sha512sum, and Cinder's way: curl, sha512sum and qemu-img convert one after the other
  clones    clones of volumes of 1 and 4 GiB (40 % data): by reflink, if the file system of TMPDIR supports it, the
            size does not matter

Parts that run only by name:
  operator  the command line and the console with 10,000 volumes: --help, list compared with a bare scan by the SDK, the
            first row of the console, and creates a second with the console closed and open, in turns
  scale     what grows with what is open: write units of claims and locks and the size of a backend's item at 1 to 10,000
            open creates; calls of listings, of the sweep and of the scheduler's view. Exits 1 when a bound is broken
  api       creates through the Block Storage API next to messages to the scheduler, with 32 in flight, in turns; volumes
            shown and listed by name a second. The first of --volumes is the size of a round
  large-image
            a raw and a qcow2 image of 100 GiB that are mostly empty, from Glance: time, memory of the copying
            function in its own process, transitions and cost; it takes about ten minutes

Options:
  --volumes N,N   sizes of the runs with 32 in flight (default 1000,10000)
  --gib N         size of the large images (default 100)
  --json          one JSON document instead of tables
  --help          this text

Examples:
  npm run bench
  npm run bench -- creates --volumes 1000
  npm run bench -- calls bundles --json
  npm run bench -- large-image --gib 20
`;

const PARTS = ["creates", "calls", "bundles", "images", "large-image", "clones", "operator", "scale", "api"] as const;
const ONLY_BY_NAME: readonly Part[] = ["large-image", "operator", "scale", "api"];
type Part = (typeof PARTS)[number];

const OPERATOR_VOLUMES = 10_000;

const ONE_RAW_VOLUME = { volumes: 1, imageGib: 0, copyMibPerSecond: 100 };

const NO_ROW_LINES = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };

type Results = {
  creates?: Awaited<ReturnType<typeof benchCreates>>;
  calls?: CallCounts;
  bundles?: Awaited<ReturnType<typeof benchBundles>>;
  images?: Awaited<ReturnType<typeof benchImages>>;
  clones?: Awaited<ReturnType<typeof benchClones>>;
  operator?: OperatorResult;
  "large-image"?: Awaited<ReturnType<typeof benchLargeImages>>;
  scale?: ScaleResult;
  api?: ApiBenchResult;
};

const { values, positionals } = readArguments();
let exitCode = 0;
if (values.help) {
  process.stdout.write(HELP);
} else {
  const results = await measure(
    chosenParts(positionals),
    volumeCounts(values.volumes),
    wholeNumber("--gib", values.gib),
  );
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : "");
  for (const broken of results.scale?.broken ?? []) {
    process.stderr.write(`bench: ${broken}\n`);
    exitCode = 1;
  }
}
// The SDK's clients keep their connections open.
process.exit(exitCode);

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        volumes: { type: "string", default: "1000,10000" },
        gib: { type: "string", default: "100" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function chosenParts(names: readonly string[]): readonly Part[] {
  const unknown = names.find((name) => !(PARTS as readonly string[]).includes(name));
  return unknown === undefined
    ? PARTS.filter((part) => (names.length === 0 ? !ONLY_BY_NAME.includes(part) : names.includes(part)))
    : refuse(`there is no part "${unknown}"; the parts are ${PARTS.join(", ")}`);
}

function volumeCounts(text: string): number[] {
  const counts = text.split(",").map(Number);
  return counts.every((count) => Number.isSafeInteger(count) && count > 0)
    ? counts
    : refuse(`--volumes takes whole numbers with commas between them, not "${text}"`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : refuse(`${option} takes a whole number, not "${text}"`);
}

function refuse(reason: string): never {
  process.stderr.write(`bench: ${reason}. See npm run bench -- --help\n`);
  process.exit(2);
}

async function measure(parts: readonly Part[], volumes: readonly number[], largeGib: number): Promise<Results> {
  const results: Results = {};
  for (const part of parts) {
    switch (part) {
      case "api":
        results.api = await benchApi(volumes[0] ?? 1000);
        show("Block Storage API", apiRows(results.api));
        break;
      case "creates":
        results.creates = await benchCreates(volumes);
        show("Raw creates, message to available", createRows(results.creates));
        break;
      case "calls":
        results.calls = await benchCalls();
        show("One raw create", callRows(results.calls));
        break;
      case "bundles":
        results.bundles = await benchBundles();
        show("Bundles", [
          ["function", "kB", "import ms"],
          ...results.bundles.map((each) => [each.function, fixed(each.kilobytes), fixed(each.import_ms)]),
        ]);
        break;
      case "images":
        results.images = await benchImages();
        show("Image of 1 GiB, 40 % data, to a file volume", imageRows(results.images));
        break;
      case "clones":
        results.clones = await benchClones();
        show(`Clones of volumes, 40 % data, ${results.clones.by_reflink ? "by reflink" : "copied: no reflink here"}`, [
          ["GiB", "s"],
          ...results.clones.rows.map(({ gibibytes, seconds }) => [String(gibibytes), fixed(seconds, 3)]),
        ]);
        break;
      case "operator":
        results.operator = await benchOperator(OPERATOR_VOLUMES);
        show(`Command line and console with ${OPERATOR_VOLUMES} volumes`, operatorRows(results.operator));
        break;
      case "scale":
        results.scale = await benchScale();
        show("Claims on one backend, write units", claimScaleRows(results.scale));
        show("Locks on one volume, write units", lockScaleRows(results.scale));
        show("Reads", readScaleRows(results.scale));
        break;
      case "large-image":
        results["large-image"] = await benchLargeImages(largeGib);
        show(`Image of ${largeGib} GiB, nearly empty, from Glance`, largeImageRows(results["large-image"]));
        break;
    }
  }
  return results;
}

/** First row: the headings. */
function show(title: string, [head = [], ...rows]: string[][]): void {
  if (values.json) {
    return;
  }
  const table = new Table({
    head,
    chars: NO_ROW_LINES,
    style: { head: [], border: [] },
    colAligns: head.map((_, i) => (i ? "right" : "left")),
  });
  table.push(...rows);
  process.stdout.write(`\n${styleText("bold", title)}\n${table.toString()}\n`);
}

function apiRows(result: ApiBenchResult): string[][] {
  const { message_creates_per_second: byMessage, api_creates_per_second: byApi } = result;
  return [
    ["with 32 in flight", "a second", "compared"],
    ["creates by messages", fixed(byMessage), ""],
    ["creates through the API", fixed(byApi), `${fixed((100 * byApi) / byMessage)} %`],
    ["shows", fixed(result.shows_per_second), ""],
    ["lists by name", fixed(result.lists_by_name_per_second), ""],
  ];
}

function createRows({ latency, throughput }: NonNullable<Results["creates"]>): string[][] {
  return [
    ["volumes", "in flight", "creates/s", "p50 ms", "p95 ms", "p99 ms", "RSS MB"],
    [String(latency.volumes), "1", "", fixed(latency.p50_ms), fixed(latency.p95_ms), "", ""],
    ...throughput.map((each) => [
      String(each.volumes),
      String(each.in_flight),
      fixed(each.creates_per_second),
      fixed(each.p50_ms),
      "",
      fixed(each.p99_ms),
      fixed(each.rss_mb_after),
    ]),
  ];
}

function operatorRows(result: OperatorResult): string[][] {
  const { console_closed: closed, console_open: open } = result.creates_per_second;
  return [
    ["", "", ""],
    ["--help, ms", fixed(result.help_ms), ""],
    ["list, ms", fixed(result.list_ms), `${fixed(result.list_ms / result.bare_scan_ms, 2)} x a bare scan`],
    ["bare scan by the SDK, ms", fixed(result.bare_scan_ms), ""],
    ["console: first row, ms", result.first_row_ms === null ? "no Chromium" : fixed(result.first_row_ms), ""],
    ["console: requests until then", String(result.requests ?? ""), ""],
    ["creates/s, console closed", fixed(closed), ""],
    ["creates/s, console open", fixed(open), `${fixed(open / closed, 2)} x`],
  ];
}

function callRows(counts: CallCounts): string[][] {
  return [
    ["per raw create", ""],
    ["state transitions", fixed(counts.state_transitions)],
    ["SDK calls", fixed(counts.sdk_calls)],
    ...Object.entries(counts.by_call).map(([call, count]) => [`  ${call}`, fixed(count)]),
    ["DynamoDB write units, tables", fixed(counts.write_units)],
    ["DynamoDB read units, tables", fixed(counts.read_units)],
    ["cost, USD (cinderless cost --volumes 1)", priced(estimate(ONE_RAW_VOLUME).steps, prices).cost.toFixed(7)],
    ["bytes of state, input", String(counts.input_bytes)],
    ["bytes of state, largest", String(counts.largest_state_bytes)],
  ];
}

function claimScaleRows({ claims }: ScaleResult): string[][] {
  return [
    ["open claims", "claim", "settle", "release", "return", "item, bytes", "creates/s"],
    ...claims.map((each) => [
      String(each.open),
      fixed(each.claim),
      fixed(each.settle),
      fixed(each.release),
      fixed(each.return_capacity),
      String(each.backend_item_bytes),
      fixed(createsPerSecond(each), 0),
    ]),
  ];
}

function lockScaleRows({ locks }: ScaleResult): string[][] {
  return [
    ["locks", "lock", "unlock"],
    ...locks.map(({ held, lock, unlock }) => [String(held), fixed(lock), fixed(unlock)]),
  ];
}

function readScaleRows({ reads }: ScaleResult): string[][] {
  return [
    ["what", "of", "calls", "read units", "most calls"],
    ...reads.map(({ what, of, calls, read_units: units, most_calls: most }) => [
      what,
      of,
      String(calls),
      fixed(units),
      String(most),
    ]),
  ];
}

function imageRows(image: NonNullable<Results["images"]>): string[][] {
  const ratio = (what: string, value: number | undefined): string[][] =>
    value === undefined ? [] : [[what, "", `${fixed(value, 2)} x`]];
  return [
    ["", "s", "MiB/s"],
    ...image.rows.map(({ what, seconds, mib_per_second }) => [what, fixed(seconds, 2), fixed(mib_per_second)]),
    ...ratio("raw from Glance against Cinder's way", image.raw_against_cinder),
    ...ratio("qcow2 from Glance against Cinder's way", image.qcow2_against_cinder),
  ];
}

function largeImageRows({ rows }: NonNullable<Results["large-image"]>): string[][] {
  const row = (what: string, figureOf: (each: (typeof rows)[number]) => string): string[] => [
    what,
    ...rows.map(figureOf),
  ];
  return [
    row("", ({ format }) => format),
    row("MiB of image read", (each) => fixed(each.image_mebibytes)),
    row("s, message to available", (each) => fixed(each.seconds)),
    row("s of copying", (each) => fixed(each.copy_seconds)),
    row("s of processor time", (each) => fixed(each.copy_cpu_seconds)),
    row("MiB, peak resident size of the function", (each) => fixed(each.peak_mebibytes)),
    row("turns", (each) => String(each.turns)),
    row("writes of progress", (each) => String(each.checkpoints)),
    row("state transitions", (each) => String(each.state_transitions)),
    row("cost, USD (rules of cinderless cost)", (each) => each.cost_usd.toFixed(6)),
    row("MiB on disk of the volume", (each) => fixed(each.allocated_mebibytes)),
  ];
}

function fixed(value: number, digits = 1): string {
  return value.toFixed(digits);
}
