import { addWork, type PricedUnit, type Step, timesWork, type Work } from "./work.ts";

/** Prices of one region at one date, by unit. */
export type PriceList = {
  /** ISO 8601 date of the prices. */
  date: string;
  region: string;
  currency: string;
  prices: Record<PricedUnit, number>;
};

/** A receipt: the work and cost of each step, and the sum. Costs are in the currency of the prices. */
export type Receipt = {
  prices: Pick<PriceList, "date" | "region" | "currency">;
  steps: (Step & { cost: number })[];
  total: Work;
  cost: number;
  /** The assumptions behind figures that were not counted. */
  assumptions: string[];
};

/** Prices a list of steps, each `times` times its work. */
export function priced(steps: readonly Step[], list: PriceList, assumptions: readonly string[] = []): Receipt {
  const lines = steps.map((step) => ({ ...step, cost: costOf(timesWork(step.work, step.times), list) }));
  const total = addWork(steps.map(({ work, times }) => timesWork(work, times)));
  const { date, region, currency } = list;
  return {
    prices: { date, region, currency },
    steps: lines,
    total,
    cost: costOf(total, list),
    assumptions: [...assumptions],
  };
}

function costOf(work: Work, { prices }: PriceList): number {
  return (Object.keys(work) as PricedUnit[]).reduce((sum, unit) => sum + work[unit] * prices[unit], 0);
}
