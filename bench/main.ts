import { parseArgs, styleText } from "node:util";
import Table from "cli-table3";
import { explain } from "../local/screen.ts";
import { Interrupted } from "../local/signals.ts";
import { benchApi, type ApiBenchResult } from "./api.ts";
import { benchBundles } from "./bundles.ts";
import { type CallCounts, benchCalls } from "./calls.ts";
import { benchCinder, problemOf } from "./cinder/cinder.ts";
import { benchClones } from "./clones.ts";
import { benchCreates } from "./creates.ts";
import { benchImages } from "./images.ts";
import { benchOperator, type OperatorResult } from "./operator.ts";
import { benchLargeImages } from "./large-image/large-image.ts";
import { benchScale, type ScaleResult } from "./scale/scale.ts";
import * as tables from "./tables.ts";

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
  cinder    a real Cinder next to Cinderless, both without authentication, measured by one client in turns: create to available,
            creates with 32 in flight, lists and shows. The first of --volumes says how many volumes each has in the end.
            Needs packages of Debian; without them it names them, and the exit status is 77. Exits 1 when creates, their rate
            or lists are not twice as fast
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
  npm run bench -- cinder --volumes 1000
  npm run bench -- large-image --gib 20
`;

const PARTS = [
  "creates",
  "calls",
  "bundles",
  "images",
  "large-image",
  "clones",
  "operator",
  "scale",
  "api",
  "cinder",
] as const;
const ONLY_BY_NAME: readonly Part[] = ["large-image", "operator", "scale", "api", "cinder"];
type Part = (typeof PARTS)[number];

const OPERATOR_VOLUMES = 10_000;

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
  cinder?: Awaited<ReturnType<typeof benchCinder>>;
};

/** Exit status that says that the comparison with Cinder cannot run on this machine. */
const SKIPPED = 77;

const { values, positionals } = readArguments();
// The SDK's clients keep their connections open.
process.exit(
  await main().catch((error: unknown) => {
    if (error instanceof Interrupted) {
      return error.exitStatus;
    }
    process.stderr.write(`bench: ${explain(error)}\n`);
    return 1;
  }),
);

/** Returns the exit status. */
async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const results = await measure(
    chosenParts(positionals),
    volumeCounts(values.volumes),
    wholeNumber("--gib", values.gib),
  );
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : "");
  const { scale, cinder } = results;
  const compared = cinder !== undefined && !("skipped" in cinder);
  const broken = [...(scale?.broken ?? []), ...(compared ? cinder.broken : [])];
  process.stderr.write(broken.map((each) => `bench: ${each}\n`).join(""));
  return broken.length > 0 ? 1 : cinder === undefined || compared ? 0 : SKIPPED;
}

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
        show("Block Storage API", tables.apiRows(results.api));
        break;
      case "cinder":
        results.cinder = await measureCinder(volumes[0] ?? 1000);
        break;
      case "creates":
        results.creates = await benchCreates(volumes);
        show("Raw creates, message to available", tables.createRows(results.creates));
        break;
      case "calls":
        results.calls = await benchCalls();
        show("One raw create", tables.callRows(results.calls));
        break;
      case "bundles":
        results.bundles = await benchBundles();
        show("Bundles", [
          ["function", "kB", "import ms"],
          ...results.bundles.map((each) => [each.function, tables.fixed(each.kilobytes), tables.fixed(each.import_ms)]),
        ]);
        break;
      case "images":
        results.images = await benchImages();
        show("Image of 1 GiB, 40 % data, to a file volume", tables.imageRows(results.images));
        break;
      case "clones":
        results.clones = await benchClones();
        show(`Clones of volumes, 40 % data, ${results.clones.by_reflink ? "by reflink" : "copied: no reflink here"}`, [
          ["GiB", "s"],
          ...results.clones.rows.map(({ gibibytes, seconds }) => [String(gibibytes), tables.fixed(seconds, 3)]),
        ]);
        break;
      case "operator":
        results.operator = await benchOperator(OPERATOR_VOLUMES);
        show(`Command line and console with ${OPERATOR_VOLUMES} volumes`, tables.operatorRows(results.operator));
        break;
      case "scale":
        results.scale = await benchScale();
        show("Claims on one backend, write units", tables.claimScaleRows(results.scale));
        show("Locks on one volume, units", tables.lockScaleRows(results.scale));
        show("Reads", tables.readScaleRows(results.scale));
        break;
      case "large-image":
        results["large-image"] = await benchLargeImages(largeGib);
        show(`Image of ${largeGib} GiB, nearly empty, from Glance`, tables.largeImageRows(results["large-image"]));
        break;
    }
  }
  return results;
}

async function measureCinder(volumes: number): ReturnType<typeof benchCinder> {
  const problem = problemOf(volumes);
  const result = await (problem === undefined ? benchCinder(volumes) : refuse(problem));
  if ("skipped" in result) {
    process.stderr.write(`bench: cinder is skipped: ${result.skipped}\n`);
  } else {
    show(
      `Real Cinder and Cinderless, ${volumes} volumes each, ${result.rounds} rounds in turns`,
      tables.cinderRows(result),
    );
    note(Object.entries(result.setup).map(([what, how]) => `${what}: ${how}`));
  }
  return result;
}

function note(lines: readonly string[]): void {
  process.stdout.write(values.json ? "" : lines.map((line) => `  ${line}\n`).join(""));
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
