import { EmbeddedCloudError } from "./errors.ts";
import { evaluateCondition, referencesIn } from "./intrinsics.ts";
import type { ResolutionScope } from "./intrinsics.ts";
import { arrayOrEmpty, isJsonObject, objectOrEmpty } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** One entry of a template's Resources section, with unresolved expressions. */
export interface ResourceDeclaration {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: JsonObject;
  readonly dependsOn: readonly string[];
  readonly condition: string | undefined;
}

export interface Template {
  readonly resources: readonly ResourceDeclaration[];
  readonly parameters: JsonObject;
  readonly conditions: JsonObject;
  readonly mappings: JsonObject;
  readonly outputs: JsonObject;
}

/** Reads a CloudFormation template; throws when it has no Resources or a resource has no type. */
export function readTemplate(source: unknown): Template {
  if (!isJsonObject(source) || !isJsonObject(source["Resources"])) {
    throw new EmbeddedCloudError("the template has no Resources section");
  }
  if (source["Transform"] !== undefined) {
    throw new EmbeddedCloudError("the template uses Transform, which is not supported by the embedded cloud");
  }
  return {
    resources: Object.entries(source["Resources"]).map(([logicalId, declaration]) =>
      readResource(logicalId, declaration),
    ),
    parameters: objectOrEmpty(source["Parameters"]),
    conditions: objectOrEmpty(source["Conditions"]),
    mappings: objectOrEmpty(source["Mappings"]),
    outputs: objectOrEmpty(source["Outputs"]),
  };
}

function readResource(logicalId: string, declaration: JsonValue | undefined): ResourceDeclaration {
  if (!isJsonObject(declaration) || typeof declaration["Type"] !== "string") {
    throw new EmbeddedCloudError(`${logicalId}: a resource needs a Type`);
  }
  const dependsOn = declaration["DependsOn"];
  return {
    logicalId,
    type: declaration["Type"],
    properties: objectOrEmpty(declaration["Properties"]),
    dependsOn: (typeof dependsOn === "string" ? [dependsOn] : arrayOrEmpty(dependsOn)).filter(
      (name) => typeof name === "string",
    ),
    condition: typeof declaration["Condition"] === "string" ? declaration["Condition"] : undefined,
  };
}

/**
 * Values of the template's parameters: the caller's, or the default. An SSM parameter type resolves to its default text, because there is
 * no parameter store here (CDK's BootstrapVersion is the usual case).
 */
export function parameterValues(
  template: Template,
  given: Readonly<Record<string, string>>,
): Record<string, JsonValue> {
  const values: Record<string, JsonValue> = {};
  const problems: string[] = [];
  for (const [name, declaration] of Object.entries(template.parameters)) {
    const value = given[name] ?? objectOrEmpty(declaration)["Default"];
    if (value === undefined) problems.push(`parameter ${name} has no value and no default`);
    else values[name] = value;
  }
  for (const name of Object.keys(given)) {
    if (!(name in template.parameters)) problems.push(`parameter ${name} is not declared by the template`);
  }
  if (problems.length > 0) throw new EmbeddedCloudError(problems);
  return values;
}

/** The resources whose condition holds, each after everything that it refers to. Throws on a cycle. */
export function deploymentOrder(template: Template, scope: ResolutionScope): ResourceDeclaration[] {
  const wanted = template.resources.filter(
    ({ condition }) => condition === undefined || evaluateCondition(condition, scope),
  );
  const byId = new Map(wanted.map((resource) => [resource.logicalId, resource]));
  const ordered: ResourceDeclaration[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (resource: ResourceDeclaration, path: readonly string[]): void => {
    if (state.get(resource.logicalId) === "done") return;
    if (state.get(resource.logicalId) === "open") {
      throw new EmbeddedCloudError(
        `circular dependency between resources: ${[...path, resource.logicalId].join(" -> ")}`,
      );
    }
    state.set(resource.logicalId, "open");
    for (const name of [...resource.dependsOn, ...referencesIn(resource.properties)]) {
      const dependency = byId.get(name);
      if (dependency) visit(dependency, [...path, resource.logicalId]);
    }
    state.set(resource.logicalId, "done");
    ordered.push(resource);
  };
  for (const resource of wanted) visit(resource, []);
  return ordered;
}
