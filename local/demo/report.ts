import path from "node:path";
import { attemptOf } from "../../core/records.ts";
import { faultOf } from "./ledger.ts";
import { formatBytes, type Screen, seconds } from "../screen.ts";
import type { Expectation } from "./expectations.ts";
import { messageIdsOf } from "./notifications.ts";
import { nameOfFile, type Result } from "./result.ts";
import { renderTable } from "./tables.ts";

/** The result for people, section by section. */
export function writeReport(screen: Screen, result: Result, backendsDirectory: string): void {
  section(screen, "Records", recordsTable(screen, result));
  section(screen, "State transitions", transitionsLine(result));
  section(screen, "Notifications", notificationsTable(screen, result));
  section(screen, "Files on the backends", filesTable(screen, result, backendsDirectory));
  section(screen, "Bytes", bytesTable(screen, result));
}

/** A headline and its body. Lines may follow. */
export function section(screen: Screen, title: string, body = ""): void {
  screen.write(`\n${screen.paint("bold", title)}\n${body === "" ? "" : `${body}\n`}`);
}

/** One line for each expectation that does not hold, then the sum. */
export function writeVerdict(screen: Screen, expectations: readonly Expectation[], milliseconds: number): void {
  const failed = expectations.filter(({ holds }) => !holds);
  const failures = failed.map(({ what, found }) => `  ${screen.paint("red", "✘")} ${what}: found ${found}\n`).join("");
  const kept = expectations.length - failed.length;
  const sum = `${kept} of ${expectations.length} expectations hold`;
  const line = failed.length === 0 ? `  ${screen.paint("green", "✔")} ${sum}` : `  ${screen.paint("red", "✘")} ${sum}`;
  section(screen, "Result", `${failures}${line}, ${seconds(milliseconds)} in all`);
}

function recordsTable(screen: Screen, { wishes, records }: Result): string {
  const rows = Object.values(wishes).map((wish) => {
    const record = records.get(wish.id);
    if (record === undefined) {
      return [wish.name, "-", "-", "-", "never asked for"];
    }
    const status = screen.paint(record.status === "available" ? "green" : "red", record.status);
    return [wish.name, status, record.host ?? "-", String(attemptOf(record)), faultOf(record)];
  });
  const head = ["volume", "status", "host", "attempts", "why"];
  return renderTable(screen, head, rows, { rightAligned: [3], wrapped: 4 });
}

/** The sum includes any retries. */
function transitionsLine({ wishes, transitions }: Result): string {
  const counts = Object.values(wishes).map(({ id, name }) => `${name} ${transitions.byVolume.get(id) ?? 0}`);
  return `  ${transitions.total} in all: ${counts.join(", ")}`;
}

function notificationsTable(screen: Screen, { received }: Result): string {
  const types = [...new Set(received.map(({ notification }) => notification.event_type))];
  const rows = types.map((type) => {
    const ofType = received.filter(({ notification }) => notification.event_type === type);
    const statuses = [...new Set(ofType.map(({ recordStatus }) => recordStatus))].toSorted();
    return [type, String(ofType.length), String(messageIdsOf(ofType).size), statuses.join(", ")];
  });
  const head = ["event_type", "received", "message ids", "the volume's record then read"];
  return renderTable(screen, head, rows, { rightAligned: [1, 2] });
}

function filesTable(screen: Screen, { files, wishes, snapshot }: Result, backendsDirectory: string): string {
  const rows = files.map((file) => [
    nameOfFile(file.path, wishes, snapshot),
    path.relative(backendsDirectory, file.path),
    formatBytes(file.apparent_bytes),
    formatBytes(file.allocated_bytes),
  ]);
  const table = renderTable(screen, ["holds", "path", "apparent", "allocated"], rows, { rightAligned: [2, 3] });
  return `${table}\n  ${screen.paint("dim", `below ${backendsDirectory}`)}`;
}

function bytesTable(screen: Screen, { comparisons }: Result): string {
  const rows = comparisons.map((one) => [
    one.volume,
    one.source,
    one.comparedBytes === 0 ? "-" : formatBytes(one.comparedBytes),
    one.sha256?.slice(0, 16) ?? "-",
    formatBytes(one.bytesBehind),
    one.differsAt === null ? screen.paint("green", "same") : screen.paint("red", `differs at ${one.differsAt}`),
  ]);
  const head = ["volume", "its source", "compared", "sha256", "zeros behind", "bytes"];
  return renderTable(screen, head, rows, { rightAligned: [2, 4] });
}
