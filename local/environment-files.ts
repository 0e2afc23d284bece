import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { STACK_NAME } from "../infra/stack-name.ts";
import type { EmbeddedCloud } from "./cloud/embedded-cloud.ts";

/** Where the files are that tell others how to reach the embedded cloud. */
export type EnvironmentFiles = { shell: string; json: string; outputs: string };

/** Variables of the shell that would lead a client elsewhere, or sign its requests otherwise. */
const IN_THE_WAY = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"];

/**
 * Writes the variables as shell code to source and as JSON, and the stack's outputs in the form of `cdk deploy --outputs-file`.
 * Each file is there whole or not at all.
 */
export function writeEnvironmentFiles(directory: string, cloud: EmbeddedCloud): EnvironmentFiles {
  const files = {
    shell: path.join(directory, "environment.sh"),
    json: path.join(directory, "environment.json"),
    outputs: path.join(directory, "outputs.json"),
  };
  const variables = {
    ...cloud.environment,
    // The AWS CLI of version 1 knows the region by this name only.
    AWS_DEFAULT_REGION: cloud.environment["AWS_REGION"] ?? "",
    CINDERLESS_OUTPUTS: files.outputs,
  };
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quoteForShell(value)}\n`);
  writeWhole(files.outputs, toJson({ [STACK_NAME]: cloud.outputs }));
  writeWhole(files.json, toJson(variables));
  writeWhole(files.shell, `unset ${IN_THE_WAY.join(" ")}\n${exports.join("")}`);
  return files;
}

/** The text as one word of a POSIX shell. */
export function quoteForShell(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function writeWhole(file: string, content: string): void {
  const unfinished = `${file}.new`;
  writeFileSync(unfinished, content, { mode: 0o600 });
  renameSync(unfinished, file);
}
