import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { FUNCTION_NAMES, type FunctionName, fileNameOf } from "../core/settings/functions.ts";
import { bundleFunctions } from "../infra/bundle.ts";
import { percentile } from "./rig.ts";

/** One function's bundle. */
export type BundleResult = { function: FunctionName; kilobytes: number; import_ms: number };

const RUNS = 5;

/** Times only the import, in a new process: the cost of the code in a cold start. */
const TIMED_IMPORT = `const start = performance.now();
await import(process.argv[1]);
console.log(performance.now() - start);`;

/** Size of each bundle, and the time to import it in a fresh process (median of five). */
export async function benchBundles(): Promise<BundleResult[]> {
  const directory = await mkdtemp(path.join(tmpdir(), "cinderless-bundles-"));
  try {
    await bundleFunctions(directory);
    const results: BundleResult[] = [];
    for (const name of FUNCTION_NAMES) {
      const file = path.join(directory, fileNameOf(name), "index.mjs");
      const { size } = await stat(file);
      results.push({ function: name, kilobytes: size / 1000, import_ms: await importTime(file) });
    }
    return results;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function importTime(file: string): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const args = ["--input-type=module", "--eval", TIMED_IMPORT, file];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { AWS_REGION: "us-east-1" } });
    times.push(Number(stdout));
  }
  return percentile(times, 0.5);
}
