/** A schedule expression that EventBridge would refuse, or that is not supported here. */
export class ScheduleExpressionError extends Error {
  override readonly name = "ScheduleExpressionError";
}

/** A timer of Node has 32 bit milliseconds. */
const LONGEST_PERIOD_SECONDS = 2_147_483;

const UNIT_SECONDS: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 };

/**
 * The period in seconds of `rate(5 minutes)`.
 *
 * @throws {ScheduleExpressionError} for every other expression; `cron` and `at` are not supported
 */
export function parseRate(expression: string): number {
  const [, count, unit, plural] = /^rate\((\d+) (minute|hour|day)(s?)\)$/.exec(expression.trim()) ?? [];
  const value = Number(count);
  // EventBridge insists on the grammar: rate(1 minute), rate(2 minutes).
  if (unit === undefined || value < 1 || (value === 1) !== (plural === "")) {
    throw new ScheduleExpressionError(`${expression} is not a rate such as rate(1 minute) or rate(5 minutes)`);
  }
  const seconds = value * (UNIT_SECONDS[unit] ?? 0);
  if (seconds > LONGEST_PERIOD_SECONDS) {
    throw new ScheduleExpressionError(`${expression}: a period above 24 days is not supported by the embedded cloud`);
  }
  return seconds;
}
