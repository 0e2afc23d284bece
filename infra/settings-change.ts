import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { InvalidInput } from "../core/errors.ts";
import type { Deployment } from "./deployment.ts";

/** The settings that decide how a deployment stores its data. Everything else can be changed at any time. */
export type MadeWith = { fileSystem: Deployment["fileSystem"]; customerManagedKey: boolean; vpcCidr: string | null };

/** The address of a stack: account, region and name. */
export type StackAddress = { account: string; region: string; stackName: string };

const RECORD_SUFFIX = ".lock.json";

/** The file that records the settings of stacks, next to the file of their settings: `deployment.lock.json`. */
export function recordFileOf(settingsFile: string): string {
  return settingsFile.replace(/(\.json)?$/, RECORD_SUFFIX);
}

/** The recorded part of a deployment's settings. A stack without a file system has no network. */
export function madeWith({ fileSystem, customerManagedKey, vpcCidr }: Deployment): MadeWith {
  return { fileSystem, customerManagedKey, vpcCidr: fileSystem === "efs" ? vpcCidr : null };
}

/**
 * The reasons against a change of settings, one sentence for each setting; empty when the change is safe. A test compares the templates of
 * both sides of every change, and fails when a change that passes here replaces or removes a resource with data.
 */
export function refusedChanges(before: MadeWith, after: MadeWith): string[] {
  const reasons: string[] = [];
  if (before.fileSystem === "efs" && after.fileSystem === "none") {
    reasons.push("fileSystem cannot change from efs to none: the stack would abandon the file system with all volumes");
  }
  if (before.customerManagedKey && !after.customerManagedKey) {
    reasons.push("customerManagedKey cannot change from true to false: the stack would abandon the key of stored data");
  }
  if (!before.customerManagedKey && after.customerManagedKey && before.fileSystem === "efs") {
    reasons.push(
      "customerManagedKey cannot change from false to true: the key of a file system is fixed, so an empty one would replace it",
    );
  }
  if (before.vpcCidr !== null && after.vpcCidr !== null && before.vpcCidr !== after.vpcCidr) {
    reasons.push(
      `vpcCidr cannot change from ${before.vpcCidr} to ${after.vpcCidr}: a file system has mount targets in one network only, ` +
        "so the update would fail half-way",
    );
  }
  return reasons;
}

/**
 * Compares the settings with those of the deployed stack, and records them. The deployed stack decides; if it is not known, the record
 * does. Without either the stack is new.
 *
 * Repeated: writes nothing.
 * Throws: InvalidInput with the reasons and the remedy. It then records nothing.
 */
export function checkSettingsChange(file: string, stack: StackAddress, settings: MadeWith, deployed?: MadeWith): void {
  const records = readRecords(file);
  const key = `${stack.account}/${stack.region}/${stack.stackName}`;
  const recorded = records[key];
  const before = deployed ?? recorded ?? settings;
  const reasons = refusedChanges(before, settings);
  if (reasons.length > 0) {
    throw new InvalidInput(
      `the settings do not fit stack ${stack.stackName} in ${stack.account}/${stack.region}:\n` +
        reasons.map((reason) => `  ${reason}\n`).join("") +
        `Set the old value again, or give deployment.json another stackName, deploy a second stack and copy the data\n` +
        (deployed !== undefined
          ? "(docs/operations.md, Change settings). These are the settings of the deployed stack."
          : `(docs/operations.md, Change settings). If the stack was destroyed or never deployed, remove its entry from\n${file}.`),
    );
  }
  if (JSON.stringify(recorded) !== JSON.stringify(settings)) {
    writeFileSync(file, `${JSON.stringify({ ...records, [key]: settings }, null, 2)}\n`);
  }
}

function readRecords(file: string): Record<string, MadeWith> {
  if (!existsSync(file)) {
    return {};
  }
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, MadeWith>;
  } catch (error) {
    throw new InvalidInput(`cannot read the record of deployed stacks: ${file}: ${(error as Error).message}`);
  }
}
