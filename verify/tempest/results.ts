import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./run-tempest.ts";
import { TIERS, type Tier } from "./tests.ts";

/** How a test ended. One that could not begin, because the preparation of its class failed, has failed. */
export type TestResult = "passed" | "skipped" | "failed";

/** The last kept run of each tier, by the test's name. */
export type TempestResults = Partial<Record<Tier, Readonly<Record<string, TestResult>>>>;

const FILE = fileURLToPath(new URL("../../docs/tempest-results.json", import.meta.url));

/** The result of each of a tier's tests, in their order. */
export function resultsOf(tests: readonly string[], { passed, skipped }: Outcome): Record<string, TestResult> {
  return Object.fromEntries(
    tests.map((test) => [test, passed.includes(test) ? "passed" : skipped.includes(test) ? "skipped" : "failed"]),
  );
}

/** Replaces a tier's results in docs/tempest-results.json, from which `npm run docs` makes docs/tempest.md. */
export async function keepResults(tier: Tier, results: Record<string, TestResult>): Promise<void> {
  const kept = JSON.parse(await readFile(FILE, "utf8").catch(() => "{}")) as TempestResults;
  const all = { ...kept, [tier]: results };
  const ordered = Object.fromEntries(TIERS.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
  await writeFile(FILE, `${JSON.stringify(ordered, null, 2)}\n`);
}
