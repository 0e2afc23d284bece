import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import type { Template } from "../../infra/inline-template.ts";

/** Resources of CloudFormation: the part of `@aws-cdk/aws-service-spec` that a check of a template reads. */
type Database = ReturnType<typeof loadAwsServiceSpecSync>;
type Resource = ReturnType<ReturnType<Database["lookup"]>["only"]> & {
  properties: Record<string, Property>;
  attributes: Record<string, unknown>;
};
type Property = { type: PropertyType; previousTypes?: PropertyType[]; required?: boolean };
type PropertyType =
  | { type: "string"; allowedValues?: string[] }
  | { type: "integer"; allowedValues?: number[] }
  | { type: "number" | "boolean" | "json" | "date-time" | "null" | "tag" }
  | { type: "array" | "map"; element: PropertyType }
  | { type: "union"; types: PropertyType[] }
  | { type: "ref"; reference: { $ref: string } };

/** Values of every template that no resource gives. */
const PSEUDO_PARAMETERS = [
  "AWS::AccountId",
  "AWS::NoValue",
  "AWS::NotificationARNs",
  "AWS::Partition",
  "AWS::Region",
  "AWS::StackId",
  "AWS::StackName",
  "AWS::URLSuffix",
];

const ATTRIBUTES_OF_A_RESOURCE = [
  "Type",
  "Properties",
  "DependsOn",
  "Condition",
  "Metadata",
  "CreationPolicy",
  "DeletionPolicy",
  "UpdatePolicy",
  "UpdateReplacePolicy",
];

/** The specification takes a third of a second to load. */
let loaded: Database | undefined;

/**
 * Findings of CloudFormation's own resource schemas in a template, one line each: unknown types and properties, values of another type,
 * required properties that are missing, and references to resources and attributes that do not exist.
 */
export function schemaFindings(template: Template): string[] {
  loaded ??= loadAwsServiceSpecSync();
  const database = loaded;
  const findings: string[] = [];
  for (const [id, resource] of Object.entries(template.Resources)) {
    const schema = database.lookup("resource", "cloudFormationType", "equals", resource.Type)[0] as
      | Resource
      | undefined;
    for (const key of Object.keys(resource).filter((name) => !ATTRIBUTES_OF_A_RESOURCE.includes(name))) {
      findings.push(`${id}: a resource has no ${key}`);
    }
    if (schema === undefined) {
      findings.push(`${id}: there is no resource type ${resource.Type}`);
    } else {
      findings.push(...propertyFindings(database, id, schema.properties, resource.Properties ?? {}));
    }
  }
  return [...findings, ...referenceFindings(database, template)];
}

function propertyFindings(
  database: Database,
  at: string,
  properties: Record<string, Property>,
  values: Record<string, unknown>,
): string[] {
  const missing = Object.entries(properties)
    .filter(([name, { required }]) => required === true && !Object.hasOwn(values, name))
    .map(([name]) => `${at}: ${name} is required`);
  const wrong = Object.entries(values).flatMap(([name, value]) => {
    const property = properties[name];
    if (property === undefined) {
      return [`${at}: there is no property ${name}`];
    }
    // An older form of a type is still accepted.
    const readings = [property.type, ...(property.previousTypes ?? [])].map((type) =>
      valueFindings(database, `${at}.${name}`, type, value),
    );
    return readings.some((reading) => reading.length === 0) ? [] : (readings[0] ?? []);
  });
  return [...missing, ...wrong];
}

function valueFindings(database: Database, at: string, type: PropertyType, value: unknown): string[] {
  if (isIntrinsic(value)) {
    return [];
  }
  const expected = (what: string): string[] => [`${at}: ${what} is expected, not ${JSON.stringify(value)}`];
  switch (type.type) {
    case "string":
      if (typeof value !== "string") {
        return expected("a string");
      }
      return type.allowedValues === undefined || type.allowedValues.includes(value)
        ? []
        : expected(`one of ${type.allowedValues.join(", ")}`);
    case "date-time":
      return typeof value === "string" ? [] : expected("a string");
    case "integer":
      return Number.isInteger(value) ? [] : expected("a whole number");
    case "number":
      return typeof value === "number" ? [] : expected("a number");
    case "boolean":
      return typeof value === "boolean" ? [] : expected("true or false");
    case "null":
      return value === null ? [] : expected("null");
    case "json":
      return typeof value === "object" || typeof value === "string" ? [] : expected("JSON");
    case "tag":
      return isObject(value) && "Key" in value && "Value" in value ? [] : expected("a tag");
    case "array":
      return Array.isArray(value)
        ? value.flatMap((item, index) => valueFindings(database, `${at}[${index}]`, type.element, item))
        : expected("a list");
    case "map":
      return isObject(value)
        ? Object.entries(value).flatMap(([key, item]) => valueFindings(database, `${at}.${key}`, type.element, item))
        : expected("an object");
    case "ref": {
      const { properties } = database.get("typeDefinition", type.reference.$ref) as {
        properties: Record<string, Property>;
      };
      return isObject(value) ? propertyFindings(database, at, properties, value) : expected("an object");
    }
    case "union": {
      const readings = type.types.map((member) => valueFindings(database, at, member, value));
      return readings.some((reading) => reading.length === 0) ? [] : (readings[0] ?? []);
    }
    default:
      return type satisfies never;
  }
}

/** Ref and Fn::GetAtt anywhere in the template, and the names in DependsOn. */
function referenceFindings(database: Database, template: Template): string[] {
  const parameters = Object.keys((template as { Parameters?: object }).Parameters ?? {});
  const known = new Set([...Object.keys(template.Resources), ...parameters, ...PSEUDO_PARAMETERS]);
  const findings: string[] = [];
  const visit = (at: string, value: unknown): void => {
    if (Array.isArray(value)) {
      value.forEach((item) => visit(at, item));
    } else if (isObject(value)) {
      const { Ref: target, "Fn::GetAtt": attribute } = value;
      if (typeof target === "string" && !known.has(target)) {
        findings.push(`${at}: Ref names ${target}, which does not exist`);
      }
      if (attribute !== undefined) {
        findings.push(...attributeFindings(database, template, at, attribute));
      }
      Object.values(value).forEach((item) => visit(at, item));
    }
  };
  for (const [id, resource] of Object.entries(template.Resources)) {
    visit(id, resource.Properties);
    for (const target of [(resource as { DependsOn?: string | string[] }).DependsOn ?? []].flat()) {
      if (!Object.hasOwn(template.Resources, target)) {
        findings.push(`${id}: DependsOn names ${target}, which does not exist`);
      }
    }
  }
  visit("Outputs", template.Outputs);
  return findings;
}

function attributeFindings(database: Database, template: Template, at: string, attribute: unknown): string[] {
  const [id = "", ...rest] = typeof attribute === "string" ? attribute.split(".") : (attribute as string[]);
  const name = rest.join(".");
  const type = template.Resources[id]?.Type;
  if (type === undefined) {
    return [`${at}: Fn::GetAtt names ${id}, which does not exist`];
  }
  const schema = database.lookup("resource", "cloudFormationType", "equals", type)[0] as Resource | undefined;
  return schema === undefined || Object.hasOwn(schema.attributes, name)
    ? []
    : [`${at}: ${type} has no attribute ${name}`];
}

function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) {
    return false;
  }
  const [key, ...others] = Object.keys(value);
  return others.length === 0 && key !== undefined && (key === "Ref" || key.startsWith("Fn::"));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
