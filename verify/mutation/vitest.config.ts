import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Runs the tests that a mutation run names, in one thread: Stryker runs several of these at once. */
export default defineConfig({
  root: fileURLToPath(new URL("../../", import.meta.url)),
  test: {
    include: (process.env["MUTATION_TESTS"] ?? "test/unit/**/*.test.ts").split("\n"),
    env: { POWERTOOLS_LOG_LEVEL: "SILENT", AWS_REGION: "us-east-1" },
    pool: "threads",
    // Modules are loaded again for each change: in a shared module cache, what a module computes when it is loaded would stay as it was.
    isolate: true,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
