/** Where two answers differ, as paths with both values; times may differ, because a replay has a time of its own. */
export function differencesOf(recorded: unknown, replayed: unknown, path = ""): string[] {
  if (Object.is(recorded, replayed) || (isTime(recorded) && isTime(replayed))) {
    return [];
  }
  if (isPart(recorded) && isPart(replayed) && Array.isArray(recorded) === Array.isArray(replayed)) {
    const keys = [...new Set([...Object.keys(recorded), ...Object.keys(replayed)])];
    return keys.flatMap((key) => differencesOf(recorded[key], replayed[key], path === "" ? key : `${path}.${key}`));
  }
  return [`${path === "" ? "the answer" : path}: recorded ${textOf(recorded)}, replayed ${textOf(replayed)}`];
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function isTime(value: unknown): boolean {
  return typeof value === "string" && TIME.test(value);
}

function isPart(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
