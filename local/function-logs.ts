/** A line of a function's log, as far as it is read here. */
type LogEntry = Partial<Record<"level" | "message" | "host" | "reason" | "error" | "cause" | "volume_id", unknown>>;

const FAILURES: ReadonlySet<unknown> = new Set(["WARN", "ERROR", "CRITICAL"]);

/**
 * The failure in a line of a function's log, in one line for people; `undefined` without a failure. The same failure, repeated or in
 * another attempt, gives the same text.
 *
 * @param line `function: {json}`, as the embedded cloud passes it
 */
export function failureIn(line: string): string | undefined {
  const start = line.indexOf(": {");
  if (start < 0) return undefined;
  let entry: LogEntry;
  try {
    entry = JSON.parse(line.slice(start + 2)) as LogEntry;
  } catch {
    return undefined;
  }
  if (!FAILURES.has(entry.level)) return undefined;
  const name = line.slice(0, start);
  const parts = [entry.message, entry.host, entry.error, entry.reason ?? entry.cause].filter(
    (part): part is string => typeof part === "string" && part !== "",
  );
  const volume = typeof entry.volume_id === "string" ? ` (volume ${entry.volume_id})` : "";
  return `${name}: ${parts.join(": ")}${volume}`;
}
