import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Code } from "aws-cdk-lib/aws-lambda";
import type { FunctionName } from "../core/settings/functions.ts";
import type { CodeOf } from "./functions.ts";
import { createCinderlessApp } from "./cinderless-app.ts";

/** A CloudFormation template, as far as it is read here. */
export type Template = {
  Resources: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
  Outputs: Record<string, { Value: unknown }>;
};

/** A comment in place of each function's code. */
export const INLINE_CODE: CodeOf = () => Code.fromInline("// not run");
/** The API with the only authentication that every deployment may use. */
const API = { auth: "keystone", auth_url: "https://keystone.example.org" };

/**
 * The stack's template with a placeholder for each function's code: everything except the bundles, which take time to build.
 *
 * @param context as `-c` would give it
 * @param settingsFile a deployment's settings, for keys that the context does not have
 */
export function inlineTemplate(context: Record<string, unknown> = {}, settingsFile?: string): Template {
  const outdir = mkdtempSync(path.join(tmpdir(), "cinderless-template-"));
  try {
    const { app, stack } = createCinderlessApp({
      codeOf: INLINE_CODE,
      outdir,
      context: settingsFile === undefined ? { blockStorageApi: API, ...context } : context,
      ...(settingsFile !== undefined && { settingsFile }),
    });
    return app.synth().getStackArtifact(stack.artifactId).template as Template;
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** Logical ids of the functions: `Functions`, the function's name, and the CDK's hash. */
const FUNCTION_ID = /^Functions([A-Za-z]+)[0-9A-F]{8}$/;

/** The function of a logical id, or undefined when the id is another resource's. */
export function functionNameIn(logicalId: string): FunctionName | undefined {
  return FUNCTION_ID.exec(logicalId)?.[1] as FunctionName | undefined;
}

/** The workflow's definition from a template, as JSON text, with these ARNs instead of the functions' own. */
export function definitionText(template: Template, arnOf: (name: FunctionName) => string): string {
  const machine = Object.values(template.Resources).find(({ Type }) => Type === "AWS::StepFunctions::StateMachine");
  const definition = machine?.Properties?.["DefinitionString"] as { "Fn::Join": [string, unknown[]] } | undefined;
  if (definition === undefined) {
    throw new Error("The template has no state machine with a definition");
  }
  return definition["Fn::Join"][1].map((part) => (typeof part === "string" ? part : arnOf(functionOf(part)))).join("");
}

function functionOf(token: unknown): FunctionName {
  const { "Fn::GetAtt": [logicalId, attribute] = [] } = token as { "Fn::GetAtt"?: [string, string] };
  const name = functionNameIn(logicalId ?? "");
  if (name === undefined || attribute !== "Arn") {
    throw new Error(`The definition refers to a value that is not a function's ARN: ${JSON.stringify(token)}`);
  }
  return name;
}

/** The ARN of a function on this machine: the region and account that AWS Step Functions Local and the embedded cloud use. */
export function localFunctionArn(name: FunctionName): string {
  return `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
}
