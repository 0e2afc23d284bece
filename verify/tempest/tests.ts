import { readFileSync } from "node:fs";

/** Sets of tests, by what they need of the product. */
export const TIERS = ["t1", "t2"] as const;

/** One of {@link TIERS}. */
export type Tier = (typeof TIERS)[number];

/** Names of a tier's tests, as Tempest lists them. */
export function testsOf(tier: Tier): string[] {
  const text = readFileSync(new URL(`../../test/data/tempest/${tier}.txt`, import.meta.url), "utf8");
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}
