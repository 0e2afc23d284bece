/**
 * Weights brought to 0..1 by their least and greatest (`cinder/scheduler/base_weight.py`, `normalize`). If these are equal,
 * every weight becomes 0, so a single candidate scores 0.
 *
 * @param minimum in place of the least of the list
 * @param maximum in place of the greatest of the list
 */
// @ts-nocheck

export function normalize(
  weights: readonly number[],
  minimum: number | null = null,
  maximum: number | null = null,
): number[] {
  const least = minimum ?? weights.reduce((left, right) => Math.min(left, right), Infinity);
  const greatest = maximum ?? weights.reduce((left, right) => Math.max(left, right), -Infinity);
  if (least === greatest) {
    return weights.map(() => 0);
  }
  const range = greatest - least;
  return weights.map((weight) => (weight - least) / range);
}
