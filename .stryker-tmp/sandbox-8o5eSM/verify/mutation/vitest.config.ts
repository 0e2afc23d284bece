// @ts-nocheck
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** The unit tests alone, as a mutation run needs them: no servers, no threads, no files outside a temporary directory. */
export default defineConfig({
  root: fileURLToPath(new URL("../../", import.meta.url)),
  test: {
    name: "unit",
    include: ["test/unit/**/*.test.ts"],
    env: { POWERTOOLS_LOG_LEVEL: "SILENT", AWS_REGION: "us-east-1" },
    pool: "threads",
    isolate: false,
  },
});
