import { isJsonObject, scalarText } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** The values of `Ref` and `Fn::GetAtt` of a resource. */
export interface ResourceIdentity {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Everything that an expression of a template may refer to. */
export interface ResolutionScope {
  /** Parameters and pseudo parameters, by name. */
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly conditions: JsonObject;
  readonly mappings: JsonObject;
  readonly resources: ReadonlyMap<string, ResourceIdentity>;
}

/** A template expression that cannot be resolved; the message names the expression. */
export class IntrinsicError extends Error {
  override readonly name = "IntrinsicError";
}

const NO_VALUE = "AWS::NoValue";

type Evaluate = (argument: JsonValue, scope: ResolutionScope) => JsonValue | undefined;

const EVALUATORS: Readonly<Record<string, Evaluate>> = {
  Ref: resolveRef,
  "Fn::GetAtt": resolveGetAtt,
  "Fn::Join": resolveJoin,
  "Fn::Sub": resolveSub,
  "Fn::Select": resolveSelect,
  "Fn::Split": resolveSplit,
  "Fn::If": resolveIf,
  "Fn::FindInMap": resolveFindInMap,
  "Fn::Base64": (argument, scope) => Buffer.from(text(resolve(argument, scope), "Fn::Base64")).toString("base64"),
  "Fn::Equals": evaluateConditionExpression("Fn::Equals"),
  "Fn::And": evaluateConditionExpression("Fn::And"),
  "Fn::Or": evaluateConditionExpression("Fn::Or"),
  "Fn::Not": evaluateConditionExpression("Fn::Not"),
};

/**
 * Resolves the intrinsic functions in a value. `undefined` is the value of `AWS::NoValue`: the caller leaves the property or the list entry
 * out, as CloudFormation does.
 *
 * @throws {IntrinsicError} on an unknown function, reference or a wrong argument
 */
export function resolve(value: JsonValue | undefined, scope: ResolutionScope): JsonValue | undefined {
  if (value === undefined || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((entry) => resolve(entry, scope)).filter((entry) => entry !== undefined);
  const intrinsic = intrinsicOf(value);
  if (intrinsic) {
    const evaluate = EVALUATORS[intrinsic.name];
    if (!evaluate) throw new IntrinsicError(`${intrinsic.name} is not supported by the embedded cloud`);
    return evaluate(intrinsic.argument, scope);
  }
  const resolved: JsonObject = {};
  for (const [key, entry] of Object.entries(value)) {
    const result = resolve(entry, scope);
    if (result !== undefined) resolved[key] = result;
  }
  return resolved;
}

/** The value of a named condition of the template's Conditions section. */
export function evaluateCondition(name: string, scope: ResolutionScope): boolean {
  const expression = scope.conditions[name];
  if (expression === undefined) throw new IntrinsicError(`condition ${name} is not defined`);
  return conditionValue(expression, scope);
}

/** Logical ids that a value refers to with Ref, Fn::GetAtt or Fn::Sub; pseudo parameters and parameters are among them. */
export function referencesIn(value: JsonValue | undefined, found = new Set<string>()): Set<string> {
  if (value === undefined || value === null || typeof value !== "object") return found;
  if (Array.isArray(value)) {
    for (const entry of value) referencesIn(entry, found);
    return found;
  }
  const intrinsic = intrinsicOf(value);
  if (intrinsic?.name === "Ref" && typeof intrinsic.argument === "string") found.add(intrinsic.argument);
  if (intrinsic?.name === "Fn::GetAtt") found.add(getAttParts(intrinsic.argument).logicalId);
  if (intrinsic?.name === "Fn::Sub") {
    const template = Array.isArray(intrinsic.argument) ? intrinsic.argument[0] : intrinsic.argument;
    if (typeof template === "string")
      for (const name of substitutionNames(template)) found.add(name.split(".")[0] ?? name);
  }
  for (const entry of Object.values(value)) referencesIn(entry, found);
  return found;
}

function intrinsicOf(value: JsonObject): { name: string; argument: JsonValue } | undefined {
  const [entry, ...others] = Object.entries(value);
  if (!entry || others.length > 0 || entry[1] === undefined) return undefined;
  const [name, argument] = entry;
  return name === "Ref" || name.startsWith("Fn::") ? { name, argument } : undefined;
}

function resolveRef(argument: JsonValue, scope: ResolutionScope): JsonValue | undefined {
  const name = text(argument, "Ref");
  if (name === NO_VALUE) return undefined;
  const parameter = scope.parameters[name];
  if (parameter !== undefined) return parameter;
  const resource = scope.resources.get(name);
  if (!resource) throw new IntrinsicError(`Ref ${name} names no parameter and no resource`);
  return resource.ref;
}

function getAttParts(argument: JsonValue): { logicalId: string; attribute: string } {
  if (Array.isArray(argument)) {
    const [logicalId, ...attribute] = argument.map((part) => scalarText(part) ?? "");
    return { logicalId: logicalId ?? "", attribute: attribute.join(".") };
  }
  const [logicalId = "", ...attribute] = (scalarText(argument) ?? "").split(".");
  return { logicalId, attribute: attribute.join(".") };
}

function resolveGetAtt(argument: JsonValue, scope: ResolutionScope): string {
  const { logicalId, attribute } = getAttParts(argument);
  const resource = scope.resources.get(logicalId);
  if (!resource) throw new IntrinsicError(`Fn::GetAtt ${logicalId}.${attribute} names no resource`);
  const value = resource.attributes[attribute];
  if (value === undefined) {
    throw new IntrinsicError(
      `Fn::GetAtt ${logicalId}.${attribute}: this attribute is not supported by the embedded cloud`,
    );
  }
  return value;
}

function resolveJoin(argument: JsonValue, scope: ResolutionScope): string {
  const [delimiter, list] = pair(argument, "Fn::Join");
  const parts = resolve(list, scope);
  if (!Array.isArray(parts)) throw new IntrinsicError("Fn::Join wants a list");
  return parts.map((part) => text(part, "Fn::Join")).join(text(delimiter, "Fn::Join"));
}

const SUBSTITUTION = /\$\{(!?)([^}]+)\}/g;

function substitutionNames(template: string): string[] {
  return [...template.matchAll(SUBSTITUTION)]
    .filter((match) => match[1] === "")
    .map((match) => (match[2] ?? "").trim());
}

function resolveSub(argument: JsonValue, scope: ResolutionScope): string {
  const [template, variables] = Array.isArray(argument) ? argument : [argument, {}];
  const own = isJsonObject(variables) ? variables : {};
  return text(template, "Fn::Sub").replaceAll(SUBSTITUTION, (_whole, literal: string, rawName: string) => {
    const name = rawName.trim();
    if (literal === "!") return `\${${name}}`;
    const variable = own[name];
    if (variable !== undefined) return text(resolve(variable, scope), `Fn::Sub ${name}`);
    return name.includes(".") ? resolveGetAtt(name, scope) : text(resolveRef(name, scope), `Fn::Sub ${name}`);
  });
}

function resolveSelect(argument: JsonValue, scope: ResolutionScope): JsonValue | undefined {
  const [index, list] = pair(argument, "Fn::Select");
  const values = resolve(list, scope);
  const position = Number(resolve(index, scope));
  if (!Array.isArray(values) || values[position] === undefined) {
    throw new IntrinsicError(`Fn::Select finds no entry ${position}`);
  }
  return values[position];
}

function resolveSplit(argument: JsonValue, scope: ResolutionScope): JsonValue {
  const [delimiter, source] = pair(argument, "Fn::Split");
  return text(resolve(source, scope), "Fn::Split").split(text(delimiter, "Fn::Split"));
}

function resolveIf(argument: JsonValue, scope: ResolutionScope): JsonValue | undefined {
  if (!Array.isArray(argument) || argument.length !== 3) throw new IntrinsicError("Fn::If wants three values");
  const [name, whenTrue, whenFalse] = argument;
  return resolve(evaluateCondition(text(name, "Fn::If"), scope) ? whenTrue : whenFalse, scope);
}

function resolveFindInMap(argument: JsonValue, scope: ResolutionScope): JsonValue {
  const [map, first, second] = (Array.isArray(argument) ? argument : []).map((part) =>
    text(resolve(part, scope), "Fn::FindInMap"),
  );
  const table = scope.mappings[map ?? ""];
  const row = isJsonObject(table) ? table[first ?? ""] : undefined;
  const value = isJsonObject(row) ? row[second ?? ""] : undefined;
  if (value === undefined) throw new IntrinsicError(`Fn::FindInMap finds nothing at ${map}.${first}.${second}`);
  return value;
}

function evaluateConditionExpression(name: string): Evaluate {
  return (argument, scope) => conditionValue({ [name]: argument }, scope);
}

function conditionValue(expression: JsonValue, scope: ResolutionScope): boolean {
  const [name, argument] = isJsonObject(expression) ? (Object.entries(expression)[0] ?? []) : [];
  if (name === "Condition") return evaluateCondition(text(argument, "Condition"), scope);
  const operands = Array.isArray(argument) ? argument : [];
  switch (name) {
    case "Fn::Equals": {
      const [left, right] = operands.map((operand) => resolve(operand, scope));
      return JSON.stringify(left) === JSON.stringify(right);
    }
    case "Fn::And":
      return operands.every((operand) => conditionValue(operand, scope));
    case "Fn::Or":
      return operands.some((operand) => conditionValue(operand, scope));
    case "Fn::Not":
      return !operands.every((operand) => conditionValue(operand, scope));
    case undefined:
    default:
      throw new IntrinsicError(
        `${name ?? JSON.stringify(expression)} is not supported in a condition by the embedded cloud`,
      );
  }
}

function pair(argument: JsonValue, name: string): [JsonValue, JsonValue] {
  const [first, second] = Array.isArray(argument) ? argument : [];
  if (first === undefined || second === undefined) throw new IntrinsicError(`${name} wants two values`);
  return [first, second];
}

function text(value: JsonValue | undefined, name: string): string {
  const result = scalarText(value);
  if (result === undefined) throw new IntrinsicError(`${name} wants a string, not ${JSON.stringify(value)}`);
  return result;
}
