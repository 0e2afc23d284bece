import { estimate } from "../cli/cost/estimate.ts";
import prices from "../cli/cost/prices.json" with { type: "json" };
import { priced } from "../cli/cost/receipt.ts";
import type { ApiBenchResult } from "./api.ts";
import type { CallCounts } from "./calls.ts";
import { type CinderBenchResult, timesAsFast } from "./cinder/cinder.ts";
import type { Figures } from "./cinder/measure.ts";
import type { benchCreates } from "./creates.ts";
import type { benchImages } from "./images.ts";
import type { benchLargeImages } from "./large-image/large-image.ts";
import type { OperatorResult } from "./operator.ts";
import { createsPerSecond, type ScaleResult } from "./scale/scale.ts";

/** Rows of the tables, the headings first. */

const ONE_RAW_VOLUME = { volumes: 1, imageGib: 0, copyMibPerSecond: 100 };

type CreatesResult = Awaited<ReturnType<typeof benchCreates>>;
type ImagesResult = Awaited<ReturnType<typeof benchImages>>;
type LargeImagesResult = Awaited<ReturnType<typeof benchLargeImages>>;

export function apiRows(result: ApiBenchResult): string[][] {
  const { message_creates_per_second: byMessage, api_creates_per_second: byApi } = result;
  return [
    ["with 32 in flight", "a second", "compared"],
    ["creates by messages", fixed(byMessage), ""],
    ["creates through the API", fixed(byApi), `${fixed((100 * byApi) / byMessage)} %`],
    ["shows", fixed(result.shows_per_second), ""],
    ["lists by name", fixed(result.lists_by_name_per_second), ""],
  ];
}

export function cinderRows({ volumes, in_flight: inFlight, cinder, cinderless }: CinderBenchResult): string[][] {
  const times = timesAsFast(cinder, cinderless);
  const row = (what: string, name: keyof Figures): string[] => [
    what,
    fixed(cinder[name]),
    fixed(cinderless[name]),
    `${fixed(times[name])} x`,
  ];
  return [
    ["", "Cinder", "Cinderless", "as fast"],
    row("create to available, ms, p50", "create_to_available_p50_ms"),
    row("create to available, ms, p95", "create_to_available_p95_ms"),
    row(`creates/s, ${inFlight} in flight`, "creates_per_second"),
    row("processor time of such a create, ms", "processor_ms_per_create"),
    row(`list ${volumes} with details, ms`, "list_detail_ms"),
    row(`list ${volumes}, ms`, "list_ms"),
    row("show one, ms", "show_ms"),
  ];
}

export function createRows({ latency, throughput }: CreatesResult): string[][] {
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

export function operatorRows(result: OperatorResult): string[][] {
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

export function callRows(counts: CallCounts): string[][] {
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

export function claimScaleRows({ claims }: ScaleResult): string[][] {
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

export function lockScaleRows({ locks }: ScaleResult): string[][] {
  return [
    ["locks", "of", "lock", "refuse", "extend", "unlock", "delete", "item, bytes"],
    ...locks.map((each) => [
      String(each.held),
      each.holders,
      fixed(each.lock),
      fixed(each.refuse),
      fixed(each.extend),
      fixed(each.unlock),
      fixed(each.delete),
      String(each.source_item_bytes),
    ]),
  ];
}

export function readScaleRows({ reads }: ScaleResult): string[][] {
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

export function imageRows(image: ImagesResult): string[][] {
  const ratio = (what: string, value: number | undefined): string[][] =>
    value === undefined ? [] : [[what, "", `${fixed(value, 2)} x`]];
  return [
    ["", "s", "MiB/s"],
    ...image.rows.map(({ what, seconds, mib_per_second }) => [what, fixed(seconds, 2), fixed(mib_per_second)]),
    ...ratio("raw from Glance against Cinder's way", image.raw_against_cinder),
    ...ratio("qcow2 from Glance against Cinder's way", image.qcow2_against_cinder),
  ];
}

export function largeImageRows({ rows }: LargeImagesResult): string[][] {
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

export function fixed(value: number, digits = 1): string {
  return value.toFixed(digits);
}
