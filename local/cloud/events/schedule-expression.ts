/** A parsed ScheduleExpression. Times are UTC. */
export type Schedule =
  | { readonly kind: "rate"; readonly periodSeconds: number }
  | { readonly kind: "at"; readonly time: number }
  | { readonly kind: "cron"; readonly next: (afterMilliseconds: number) => number | undefined };

/** A schedule expression that EventBridge would refuse, or that is not supported here. */
export class ScheduleExpressionError extends Error {
  override readonly name = "ScheduleExpressionError";
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 };

/** Reads `rate(5 minutes)`, `at(2026-01-31T12:00:00)` and `cron(0 12 * * ? *)`. */
export function parseScheduleExpression(expression: string): Schedule {
  const [, kind, body = ""] = /^(rate|at|cron)\((.*)\)$/.exec(expression.trim()) ?? [];
  switch (kind) {
    case "rate":
      return parseRate(expression, body);
    case "at": {
      const time = Date.parse(`${body}Z`);
      if (Number.isNaN(time)) throw new ScheduleExpressionError(`${expression} holds no time`);
      return { kind, time };
    }
    case "cron":
      return { kind, next: parseCron(expression, body) };
    case undefined:
    default:
      throw new ScheduleExpressionError(`${expression} is not a schedule expression`);
  }
}

function parseRate(expression: string, body: string): Schedule {
  const [, count, unit, plural] = /^(\d+) (minute|hour|day)(s?)$/.exec(body.trim()) ?? [];
  const value = Number(count);
  // EventBridge insists on the grammar: rate(1 minute), rate(2 minutes).
  if (unit === undefined || value < 1 || (value === 1) !== (plural === "")) {
    throw new ScheduleExpressionError(`${expression} is not a rate such as rate(1 minute) or rate(5 minutes)`);
  }
  return { kind: "rate", periodSeconds: value * (UNIT_SECONDS[unit] ?? 0) };
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MINUTE_MILLISECONDS = 60_000;
const SEARCHED_DAYS = 366 * 5;

/** Six fields: minutes, hours, day of month, month, day of week (1 is Sunday), year. `L`, `W` and `#` are not supported. */
function parseCron(expression: string, body: string): (after: number) => number | undefined {
  const fields = body.trim().split(/\s+/);
  if (fields.length !== 6) throw new ScheduleExpressionError(`${expression} needs six fields`);
  const [minute = "", hour = "", dayOfMonth = "", month = "", dayOfWeek = "", year = ""] = fields;
  if ((dayOfMonth === "?") === (dayOfWeek === "?")) {
    throw new ScheduleExpressionError(`${expression} needs ? in exactly one of day of month and day of week`);
  }
  const minutes = parseField(expression, minute, 0, 59);
  const hours = parseField(expression, hour, 0, 23);
  const days = parseField(expression, dayOfMonth, 1, 31);
  const months = parseField(expression, month, 1, 12, MONTHS);
  const weekdays = parseField(expression, dayOfWeek, 1, 7, WEEKDAYS);
  const years = parseField(expression, year, 1970, 2199);
  return (after) => {
    const start = new Date(Math.floor(after / MINUTE_MILLISECONDS) * MINUTE_MILLISECONDS + MINUTE_MILLISECONDS);
    for (let day = 0; day < SEARCHED_DAYS; day += 1) {
      const date = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate() + day));
      const dayMatches =
        years.has(date.getUTCFullYear()) &&
        months.has(date.getUTCMonth() + 1) &&
        days.has(date.getUTCDate()) &&
        weekdays.has(date.getUTCDay() + 1);
      if (!dayMatches) continue;
      const found = firstMinute(date.getTime(), hours, minutes, start.getTime());
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function firstMinute(
  midnight: number,
  hours: ReadonlySet<number>,
  minutes: ReadonlySet<number>,
  notBefore: number,
): number | undefined {
  for (let minute = 0; minute < 24 * 60; minute += 1) {
    const time = midnight + minute * MINUTE_MILLISECONDS;
    if (time >= notBefore && hours.has(Math.floor(minute / 60)) && minutes.has(minute % 60)) return time;
  }
  return undefined;
}

function parseField(
  expression: string,
  field: string,
  low: number,
  high: number,
  names: readonly string[] = [],
): Set<number> {
  const numberIn = (text: string): number => {
    const named = names.indexOf(text.toUpperCase());
    const value = named >= 0 ? named + low : Number(text);
    if (!/^\w+$/.test(text) || !Number.isInteger(value) || value < low || value > high) {
      throw new ScheduleExpressionError(
        `${expression}: ${field} is not supported by the embedded cloud or out of range`,
      );
    }
    return value;
  };
  const values = new Set<number>();
  for (const part of field.split(",")) {
    const [range = "", step] = part.split("/");
    const [from = "", to] = range.split("-");
    const first = range === "*" || range === "?" ? low : numberIn(from);
    const last =
      range === "*" || range === "?" || (step !== undefined && to === undefined) ? high : numberIn(to ?? from);
    const stride = step === undefined ? 1 : Number(step);
    if (!Number.isInteger(stride) || stride < 1)
      throw new ScheduleExpressionError(`${expression}: ${field} has a wrong step`);
    for (let value = first; value <= last; value += stride) values.add(value);
  }
  return values;
}
