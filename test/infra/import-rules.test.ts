import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, expect, it } from "vitest";

/** Forbidden imports: a file that breaks the rule, by its path, and its import. */
const FORBIDDEN: [string, string][] = [
  ["core/breaks-aws.ts", "@aws-sdk/client-dynamodb"],
  ["core/breaks-node.ts", "node:fs"],
  ["core/workflow/breaks-adapters.ts", "../../adapters/drivers.ts"],
  ["core/workflow/breaks-lambdas.ts", "../../lambdas/runtime/logger.ts"],
  ["core/breaks-tests.ts", "../test/support/builders.ts"],
  ["adapters/breaks-tasks.ts", "../core/workflow/create-raw-volume.ts"],
  ["adapters/breaks-nets.ts", "../core/nets/sweep-open-claims.ts"],
  ["adapters/breaks-infra.ts", "../infra/functions.ts"],
  ["lambdas/breaks-adapters.ts", "../adapters/drivers.ts"],
  ["lambdas/breaks-aws.ts", "@aws-sdk/client-sqs"],
  ["lambdas/runtime/breaks-infra.ts", "../../infra/functions.ts"],
  ["statemachine/breaks-lambdas.ts", "../lambdas/create-raw-volume.ts"],
  ["infra/breaks-adapters.ts", "../adapters/drivers.ts"],
  ["infra/breaks-local.ts", "../local/cinderless.ts"],
  ["packages/embedded-cloud/src/breaks-core.ts", "../../../core/errors.ts"],
  ["packages/embedded-cloud/test/unit/breaks-simulation.ts", "../../../../simulation/account.ts"],
  ["cli/breaks-lambdas.ts", "../lambdas/create-raw-volume.ts"],
  ["cli/breaks-local.ts", "../local/cinderless.ts"],
  ["core/breaks-verify.ts", "../verify/conformance/model.ts"],
  ["adapters/breaks-verify.ts", "../verify/conformance/model.ts"],
  ["lambdas/runtime/breaks-verify.ts", "../../verify/conformance/model.ts"],
  ["infra/breaks-verify.ts", "../verify/conformance/bundler-plugin.ts"],
  ["local/breaks-verify.ts", "../verify/conformance/bundler-plugin.ts"],
  ["simulation/breaks-tests.ts", "../test/support/builders.ts"],
  ["simulation/stores/breaks-verify.ts", "../../verify/conformance/model.ts"],
];

/** Allowed imports that the same rules could forbid by mistake. */
const ALLOWED: [string, string][] = [
  ["core/workflow/keeps.ts", "../errors.ts"],
  ["adapters/keeps.ts", "../core/ports.ts"],
  ["adapters/keeps-aws.ts", "@aws-sdk/client-dynamodb"],
  ["lambdas/keeps.ts", "../core/workflow/create-raw-volume.ts"],
  ["lambdas/runtime/keeps.ts", "../../adapters/drivers.ts"],
  ["statemachine/keeps.ts", "../core/errors.ts"],
  ["infra/keeps.ts", "../statemachine/create-volume.ts"],
  ["infra/keeps-options.ts", "../adapters/driver-options.ts"],
  ["cli/keeps.ts", "../adapters/drivers.ts"],
  ["packages/embedded-cloud/src/states/keeps.ts", "../json.ts"],
  ["packages/embedded-cloud/test/unit/keeps.ts", "../../src/states/history.ts"],
  ["verify/keeps.ts", "../lambdas/runtime/composition.ts"],
];

type Diagnostic = { code: string; filename: string };

let broken: Set<string>;

/** One run of the linter, with the project's own rules, over a directory of such files. */
beforeAll(() => {
  const directory = mkdtempSync(path.join(tmpdir(), "cinderless-imports-"));
  try {
    const configuration = new URL("../../.oxlintrc.json", import.meta.url);
    writeFileSync(path.join(directory, ".oxlintrc.json"), readFileSync(configuration));
    for (const [file, imported] of [...FORBIDDEN, ...ALLOWED]) {
      mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
      writeFileSync(path.join(directory, file), `export * from "${imported}";\n`);
    }
    const { diagnostics } = JSON.parse(lint(directory)) as { diagnostics: Diagnostic[] };
    const restricted = diagnostics.filter(({ code }) => code.includes("no-restricted-imports"));
    broken = new Set(restricted.map(({ filename }) => filename));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

function lint(directory: string): string {
  const program = path.join(path.dirname(createRequire(import.meta.url).resolve("oxlint/package.json")), "bin/oxlint");
  try {
    return execFileSync(process.execPath, [program, "--format", "json"], { cwd: directory, encoding: "utf8" });
  } catch (error) {
    // It fails because it found what it should.
    return (error as { stdout: string }).stdout;
  }
}

it.each(FORBIDDEN)("%s may not import %s", (file) => {
  expect([...broken]).toContain(file);
});

it.each(ALLOWED)("%s may import %s", (file) => {
  expect([...broken]).not.toContain(file);
});
