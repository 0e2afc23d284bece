import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { OrderOfFiles } from "./test/support/order-of-files.ts";

// Each file of the integration tests, and each command that they start, loads its modules again: let Node compile them once.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/cinderless/modules", import.meta.url));

/** Functions log only in tests that read their logs. */
const env = { POWERTOOLS_LOG_LEVEL: "SILENT", AWS_REGION: "us-east-1" };

/**
 * For a test that hangs, on a busy machine: no test relies on durations. A wait ends sooner, and then names its condition.
 */
const PATIENT = { testTimeout: 180_000, hookTimeout: 180_000, expect: { poll: { timeout: 120_000, interval: 20 } } };

/**
 * Tests that use only memory, and those of the stack, all of which need the CDK. Their files share the modules of a thread: loading them
 * again for each file takes twice as long as all the tests together (2,800 tests on two cores: 10 s, against 18 s in processes and 27 s in
 * threads of their own).
 */
const SHARED = { ...PATIENT, env, pool: "threads", isolate: false } as const;

/** Tests that start servers, threads and commands: in processes, each of which loads the modules once. */
const APART = { ...PATIENT, env, pool: "forks", isolate: false } as const;

export default defineConfig({
  test: {
    // The default is one less than there are cores, and the integration tests wait half of their time (two cores: 172 s, against 208
    // with two workers).
    maxWorkers: 3,
    sequence: { sequencer: OrderOfFiles },
    projects: [
      { test: { ...SHARED, name: "unit", include: ["test/unit/**/*.test.ts", "packages/*/test/unit/**/*.test.ts"] } },
      { test: { ...SHARED, name: "statemachine", include: ["test/statemachine/**/*.test.ts"] } },
      {
        test: {
          ...APART,
          name: "integration",
          include: ["test/integration/**/*.test.ts", "packages/*/test/integration/**/*.test.ts"],
        },
      },
      // Apart from `npm test`: it needs a browser.
      { test: { ...APART, name: "console", include: ["test/console/**/*.test.ts"] } },
      { test: { ...SHARED, name: "infra", include: ["test/infra/**/*.test.ts"] } },
    ],
  },
});
