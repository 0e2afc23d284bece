import { readFileSync } from "node:fs";
import type { Node } from "constructs";
import { InvalidInput } from "../core/errors.ts";

/** File of the settings of a deployment, below the repository's root. It is committed, so there are no flags to remember. */
export const SETTINGS_FILE = "deployment.json";

/** Every setting of the stack. A file with another key is refused, because a misspelt one would be ignored. */
export const SETTING_KEYS = [
  "stackName",
  "fileSystem",
  "vpcCidr",
  "volumeConsumers",
  "customerManagedKey",
  "removalPolicy",
  "observability",
  "workflowVersions",
  "alarmRecipients",
  "backends",
  "blockStorageApi",
  "image_services",
  "scheduler",
  "time_bounds",
  "audit",
  "notification_era",
  "blockStorageApi",
] as const;

/**
 * Sets the context that a file names: a JSON object of settings. Existing context, such as from `-c`, is kept. Context `deployment` names
 * another file. Returns the file that was read.
 *
 * Throws: InvalidInput when the file is missing, is not a JSON object, or has an unknown key.
 */
export function applySettingsFile(node: Node, defaultFile: string): string {
  const named: unknown = node.tryGetContext("deployment");
  const file = typeof named === "string" ? named : defaultFile;
  for (const [key, value] of Object.entries(readSettings(file))) {
    if (node.tryGetContext(key) === undefined) {
      node.setContext(key, value);
    }
  }
  return file;
}

/**
 * One setting of the file, before the CDK is loaded. Undefined when the file does not have it, and when it cannot be read:
 * {@link applySettingsFile} says why.
 */
export function settingOfFile(
  context: Readonly<Record<string, unknown>>,
  defaultFile: string,
  key: (typeof SETTING_KEYS)[number],
): unknown {
  const { deployment } = context;
  try {
    return readSettings(typeof deployment === "string" ? deployment : defaultFile)[key];
  } catch {
    return undefined;
  }
}

function readSettings(file: string): Record<string, unknown> {
  let settings: unknown;
  try {
    settings = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new InvalidInput(`cannot read the settings of the deployment: ${file}: ${(error as Error).message}`);
  }
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    throw new InvalidInput(`${file} must hold a JSON object of settings`);
  }
  const known: readonly string[] = SETTING_KEYS;
  const unknown = Object.keys(settings).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new InvalidInput(`${file}: unknown setting ${unknown.join(", ")}; the settings are ${known.join(", ")}`);
  }
  return settings as Record<string, unknown>;
}
