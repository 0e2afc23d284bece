import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { VARIABLES_IN_THE_WAY } from "../cli/embedded-environment.ts";
import { STACK_NAME } from "../infra/stack-name.ts";

/** Paths of the files with the addresses of the embedded cloud. */
export type EnvironmentFiles = {
  shell: string;
  json: string;
  outputs: string;
  /** `clouds.yaml` for OpenStack's clients; absent if the stack has no Block Storage API. */
  clouds?: string;
};

/**
 * Writes the variables as shell code to source and as JSON, and the stack's outputs in the form of `cdk deploy --outputs-file`. Each file
 * is written completely or not at all.
 */
export function writeEnvironmentFiles(directory: string, cloud: EmbeddedCloud): EnvironmentFiles {
  const files = {
    shell: path.join(directory, "environment.sh"),
    json: path.join(directory, "environment.json"),
    outputs: path.join(directory, "outputs.json"),
  };
  const apiUrl = cloud.outputs["BlockStorageApiUrl"];
  const clouds = path.join(directory, "clouds.yaml");
  const variables = {
    ...cloud.environment,
    // Version 1 of the AWS CLI knows the region only by this name.
    AWS_DEFAULT_REGION: cloud.environment["AWS_REGION"] ?? "",
    CINDERLESS_OUTPUTS: files.outputs,
    ...(apiUrl !== undefined && { OS_CLIENT_CONFIG_FILE: clouds, OS_CLOUD: "cinderless" }),
  };
  if (apiUrl !== undefined) {
    writeWhole(clouds, cloudsYaml(apiUrl));
  }
  writeWhole(files.outputs, toJson({ [STACK_NAME]: cloud.outputs }));
  writeWhole(files.json, toJson(variables));
  writeWhole(files.shell, shellCode(variables));
  return apiUrl === undefined ? files : { ...files, clouds };
}

/** The configuration for openstacksdk and OpenStackClient: no Keystone, and one service. */
function cloudsYaml(apiUrl: string): string {
  return [
    "clouds:",
    "  cinderless:",
    "    auth_type: none",
    "    auth:",
    `      endpoint: ${apiUrl}`,
    "    region_name: local",
    '    volume_api_version: "3"',
    '    block_storage_api_version: "3"',
    "",
  ].join("\n");
}

/**
 * Code for a POSIX shell that sets the variables, and the function `cinderless_off` that restores the shell's previous values.
 * Repeated: sourced again, also for another cloud, it restores first, so the shell's own values are never lost.
 */
export function shellCode(variables: Readonly<Record<string, string>>): string {
  const names = [...Object.keys(variables), ...VARIABLES_IN_THE_WAY];
  return [
    "# Directs the AWS CLI, SDKs and cinderless in this shell to the embedded cloud. cinderless_off undoes it.",
    "if command -v cinderless_off >/dev/null 2>&1; then cinderless_off; fi",
    ...names.map((name) => `if [ "\${${name}+set}" = set ]; then _cinderless_${name}=$${name}; fi`),
    "cinderless_off() {",
    ...names.map(
      (name) =>
        `  if [ "\${_cinderless_${name}+set}" = set ]; then export ${name}="$_cinderless_${name}"; unset _cinderless_${name}; else unset ${name}; fi`,
    ),
    "  unset -f cinderless_off",
    "}",
    `unset ${VARIABLES_IN_THE_WAY.join(" ")}`,
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quoteForShell(value)}`),
    "",
  ].join("\n");
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
