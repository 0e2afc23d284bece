import { defineConfig } from "vitest/config";

/** What the functions log is of interest where a test reads it, and nowhere else. */
const env = { POWERTOOLS_LOG_LEVEL: "SILENT", AWS_REGION: "us-east-1" };

/**
 * Four kinds of tests. Unit and statemachine tests share a process per worker, because loading the modules for each file anew takes
 * longer than the tests themselves; the others start servers and threads, and each file has a process of its own.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          env,
        },
      },
      {
        test: {
          name: "statemachine",
          include: ["test/statemachine/**/*.test.ts"],
          env,
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          env,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "infra",
          include: ["test/infra/**/*.test.ts"],
          env,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
