import { isDeepStrictEqual } from "node:util";
import type { AssetDirectories } from "./assets.ts";
import { EmbeddedCloudError } from "./errors.ts";
import { evaluateCondition, IntrinsicError, resolve } from "./intrinsics.ts";
import type { ResolutionScope, ResourceIdentity } from "./intrinsics.ts";
import { objectOrEmpty, scalarText } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { ACCOUNT_ID } from "./physical-names.ts";
import { RESOURCE_HANDLERS } from "./resources/index.ts";
import type { CloudParts, IdentityContext, ResolvedResource, ResourceHandler } from "./resources/resource-handler.ts";
import { deploymentOrder } from "./template.ts";
import type { ResourceDeclaration, Template } from "./template.ts";

/** A resource ready to be deployed. */
export interface PlannedResource {
  readonly resource: ResolvedResource;
  readonly identity: ResourceIdentity;
  readonly handler: ResourceHandler;
}

/** A template with all expressions resolved: the resources in order of creation, and the outputs. */
export interface Plan {
  readonly resources: readonly PlannedResource[];
  readonly outputs: Readonly<Record<string, string>>;
}

export interface PlanRequest {
  readonly template: Template;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly context: IdentityContext;
  readonly assets: AssetDirectories;
}

/**
 * Resolves a template without creating anything. Names and ARNs follow from the stack alone, so the whole template can be checked before a
 * part starts. The plan is made again once the ports are known, because queue URLs contain one.
 *
 * @throws {EmbeddedCloudError} naming every type, property and expression that is not supported, one line each
 */
export function planDeployment({ template, parameters, context, assets }: PlanRequest): Plan {
  const problems: string[] = [];
  const identities = new Map<string, ResourceIdentity>();
  const scope: ResolutionScope = {
    parameters: { ...pseudoParameters(context), ...parameters },
    conditions: template.conditions,
    mappings: template.mappings,
    resources: identities,
  };
  const resources: PlannedResource[] = [];
  const failed = new Set<string>();
  for (const declaration of deploymentOrder(template, scope)) {
    const planned = planResource(declaration, { scope, context, assets, failed }, problems);
    if (!planned) continue;
    identities.set(declaration.logicalId, planned.identity);
    resources.push(planned);
  }
  const outputs = failed.size > 0 ? {} : planOutputs(template.outputs, scope, problems);
  if (problems.length > 0) throw new EmbeddedCloudError(problems);
  return { resources, outputs };
}

interface Planning {
  readonly scope: ResolutionScope;
  readonly context: IdentityContext;
  readonly assets: AssetDirectories;
  /** Resources without an identity: references to them are not reported again. */
  readonly failed: Set<string>;
}

function planResource(
  declaration: ResourceDeclaration,
  planning: Planning,
  problems: string[],
): PlannedResource | undefined {
  const { logicalId, type } = declaration;
  const report = (problem: string): void => void problems.push(`${logicalId} (${type}): ${problem}`);
  const handler = Object.hasOwn(RESOURCE_HANDLERS, type) ? RESOURCE_HANDLERS[type] : undefined;
  if (!handler) {
    report("resource type is not supported by the embedded cloud");
    planning.failed.add(logicalId);
    return undefined;
  }
  for (const property of Object.keys(declaration.properties)) {
    if (!handler.properties.includes(property)) report(`property ${property} is not supported by the embedded cloud`);
  }
  const properties = resolveProperties(declaration.properties, planning, report);
  if (!properties) {
    planning.failed.add(logicalId);
    return undefined;
  }
  const resource: ResolvedResource = { logicalId, type, properties };
  for (const problem of handler.check?.(resource, planning) ?? []) report(problem);
  return { resource, handler, identity: handler.identify(resource, planning.context) };
}

/** `undefined` when a property cannot be resolved; each such property has been reported, unless the cause is a failed resource. */
function resolveProperties(
  properties: JsonObject,
  { scope, failed }: Planning,
  report: (problem: string) => void,
): JsonObject | undefined {
  const resolved: JsonObject = {};
  let complete = true;
  for (const [name, value] of Object.entries(properties)) {
    try {
      const result = resolve(value, scope);
      if (result !== undefined) resolved[name] = result;
    } catch (error) {
      if (!(error instanceof IntrinsicError)) throw error;
      complete = false;
      if (![...failed].some((logicalId) => error.message.includes(logicalId)))
        report(`property ${name}: ${error.message}`);
    }
  }
  return complete ? resolved : undefined;
}

function planOutputs(outputs: JsonObject, scope: ResolutionScope, problems: string[]): Record<string, string> {
  const resolved: Record<string, string> = {};
  for (const [name, declaration] of Object.entries(outputs)) {
    const { Value: value, Condition: condition } = objectOrEmpty(declaration);
    try {
      if (typeof condition === "string" && !evaluateCondition(condition, scope)) continue;
      resolved[name] = scalarText(resolve(value, scope)) ?? "";
    } catch (error) {
      if (!(error instanceof IntrinsicError)) throw error;
      problems.push(`output ${name}: ${error.message}`);
    }
  }
  return resolved;
}

function pseudoParameters({ region, stackName }: IdentityContext): Record<string, JsonValue> {
  return {
    "AWS::Region": region,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": stackName,
    "AWS::StackId": `arn:aws:cloudformation:${region}:${ACCOUNT_ID}:stack/${stackName}/00000000-0000-0000-0000-000000000000`,
    "AWS::NotificationARNs": [],
  };
}

/** Deploys the resources of a plan in their order; existing ones are updated to the plan. */
export async function deployPlan({ resources }: Plan, parts: CloudParts): Promise<void> {
  for (const { resource, identity, handler } of resources) {
    try {
      await handler.deploy?.(resource, identity, parts);
    } catch (error) {
      throw new EmbeddedCloudError(`${resource.logicalId} (${resource.type}): ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

/** Resources that are started once with the cloud and cannot be changed under it. */
const STARTED_ONCE = /^AWS::(Events::Rule|Lambda::EventSourceMapping)$/;

/**
 * The resources that an update deploys: everything except event sources and rules, which must not change.
 *
 * @throws {EmbeddedCloudError} that names a changed one
 */
export function changesOf(deployed: Plan, next: Plan): Plan {
  const before = new Map(deployed.resources.map(({ resource }) => [resource.logicalId, resource]));
  for (const { resource } of next.resources) {
    const { logicalId, type, properties } = resource;
    if (STARTED_ONCE.test(type) && !isDeepStrictEqual(before.get(logicalId)?.properties, properties)) {
      throw new EmbeddedCloudError(`${logicalId} (${type}): an update that changes it is not supported`);
    }
  }
  return { ...next, resources: next.resources.filter(({ resource }) => !STARTED_ONCE.test(resource.type)) };
}
