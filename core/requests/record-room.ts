import { FAILURE_BYTES, LARGEST_RECORD_BYTES, LEDGER_ATTEMPTS, storedBytes } from "./byte-budget.ts";
import type { Attempt, Dropped, VolumeRecord } from "../records.ts";

/**
 * Data that a volume's record drops to stay within its bounds. The ledger keeps a bounded number of attempts. A record that is so full that
 * the end of its volume cannot be written gives up what the end does not need. `dropped` on the record says so.
 */

/**
 * Data that a record may drop for a write: `history`, the older attempts, for a write with which the flow continues; `anything` that the
 * end does not need, for a write that ends the volume, which must always fit.
 */
export type Expendable = "history" | "anything";

/** Parts of a record that go: columns, and entries of columns. */
export type RecordCut = { paths: readonly (readonly [string] | readonly [string, string])[]; dropped: Dropped };

/** Most entries that are removed one by one from one column; of more than that, the column goes. */
const MOST_ENTRIES = 50;

/**
 * The lines of a ledger in the order in which they go: the oldest first, those with a suspected orphan after the others. The first line
 * and the latest one stay.
 */
function linesInOrder(attempts: Readonly<Record<string, Attempt>>, latest: number): string[] {
  const numbers = Object.keys(attempts).toSorted((one, other) => Number(one) - Number(other));
  const mayGo = numbers.slice(1).filter((number) => Number(number) !== latest);
  const isSuspect = (number: string): boolean => attempts[number]?.suspected_orphan === true;
  return [...mayGo.filter((number) => !isSuspect(number)), ...mayGo.filter(isSuspect)];
}

/**
 * The line that is dropped for the attempt's own line, so that the ledger keeps `LEDGER_ATTEMPTS`. Undefined when there is room, or the
 * attempt has its line.
 */
export function cutForAttempt(
  { attempts, dropped }: Pick<VolumeRecord, "attempts" | "dropped">,
  attempt: number,
): RecordCut | undefined {
  const over = Object.keys(attempts).length + 1 - LEDGER_ATTEMPTS;
  if (over <= 0 || attempts[attempt] !== undefined) {
    return undefined;
  }
  const lines = linesInOrder(attempts, attempt).slice(0, over);
  return {
    paths: lines.map((number) => ["attempts", number] as const),
    dropped: { ...dropped, attempts: (dropped?.attempts ?? 0) + lines.length },
  };
}

/** One part that may go, and the bytes that it frees. */
type Part = { path: readonly [string] | readonly [string, string]; bytes: number };

/**
 * Data that is dropped so that {@link FAILURE_BYTES} more fit: first data of the flow and its history, then users' data, the largest first.
 * Undefined when nothing can go. It may not be enough.
 *
 * @param bytes of the whole item, which may have columns that the record does not know
 */
export function cutForWrite(record: VolumeRecord, bytes: number, expendable: Expendable): RecordCut | undefined {
  let over = bytes + FAILURE_BYTES - LARGEST_RECORD_BYTES;
  const parts: Part[] = [];
  for (const part of expendable === "history" ? historyOf(record) : partsInOrder(record)) {
    if (over <= 0) {
      break;
    }
    parts.push(part);
    over -= part.bytes;
  }
  if (parts.length === 0) {
    return undefined;
  }
  const lines = parts.filter(({ path }) => path[0] === "attempts").length;
  const columns = parts
    .map(({ path: [column] }) => column)
    .filter((column) => column !== "attempts" && column !== "progress");
  const { dropped = {} } = record;
  const names = [...new Set([...(dropped.columns ?? []), ...columns])];
  return {
    paths: withWholeColumns(parts.map(({ path }) => path)),
    dropped: {
      ...((dropped.attempts ?? 0) + lines > 0 && { attempts: (dropped.attempts ?? 0) + lines }),
      ...(names.length > 0 && { columns: names }),
    },
  };
}

/** Lines of the ledger but the first, the latest and the owner's. */
function historyOf({ attempts, fence }: VolumeRecord): Part[] {
  const latest = Math.max(0, ...Object.keys(attempts).map(Number));
  const mine = Object.entries(attempts).find(([, line]) => line.execution === fence)?.[0];
  const lines = linesInOrder(attempts, mine === undefined ? latest : Number(mine));
  return lines.map((number): Part => ({ path: ["attempts", number], bytes: storedBytes(attempts[number]) }));
}

function partsInOrder(record: VolumeRecord): Part[] {
  const { metadata, glance_metadata: image } = record;
  const column = (name: "progress" | "request" | "display_description"): Part[] =>
    record[name] === null || record[name] === undefined ? [] : [{ path: [name], bytes: storedBytes(record[name]) }];
  const entries = (name: string, map: Readonly<Record<string, unknown>>): Part[] =>
    Object.entries(map)
      .map(([key, value]): Part => ({ path: [name, key], bytes: storedBytes({ [key]: value }) - 3 }))
      .toSorted((one, other) => other.bytes - one.bytes);
  return [
    ...column("progress"),
    ...column("request"),
    ...historyOf(record),
    ...column("display_description"),
    ...entries("metadata", metadata),
    ...entries("glance_metadata", image),
  ];
}

/** Where too many entries of a column would have to be named, the column goes. Lines of a ledger are few. */
function withWholeColumns(paths: readonly Part["path"][]): Part["path"][] {
  const byColumn = Map.groupBy(paths, ([column]) => column);
  return [...byColumn].flatMap(([column, of]): Part["path"][] =>
    column !== "attempts" && of.length > MOST_ENTRIES ? [[column]] : of,
  );
}
