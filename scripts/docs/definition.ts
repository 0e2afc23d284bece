import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { App } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { CinderlessStack } from "../../infra/cinderless-stack.ts";

/** A rule of a Choice, as far as the product's own definitions use them: one comparison with one value. */
export type ChoiceRule = { Variable: string; Next: string } & Record<string, string | boolean>;

/** A state as it stands in the definition. */
export type State = {
  Type: "Task" | "Choice" | "Wait" | "Pass" | "Succeed" | "Fail";
  Next?: string;
  Choices?: ChoiceRule[];
  Default?: string;
  Catch?: { ErrorEquals: string[]; Next: string }[];
  SecondsPath?: string;
};

/** The workflow in the Amazon States Language. */
export type Definition = { StartAt: string; States: Record<string, State> };

/**
 * The workflow's definition out of the synthesised template. Its ARNs are not known before a deployment, so a word stands for each;
 * the functions' code is left out, because bundling takes time and changes nothing here.
 */
export async function readDefinition(): Promise<Definition> {
  const outdir = await mkdtemp(path.join(tmpdir(), "cinderless-docs-"));
  try {
    const app = new App({ outdir, analyticsReporting: false });
    const stack = new CinderlessStack(app, "Cinderless", { codeOf: () => Code.fromInline("// not run") });
    return definitionIn(app.synth().getStackByName(stack.stackName).template);
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
}

type Template = {
  Resources: Record<string, { Type: string; Properties: { DefinitionString?: DefinitionString } }>;
};
type DefinitionString = string | { "Fn::Join": [string, unknown[]] };

function definitionIn(template: Template): Definition {
  const machines = Object.values(template.Resources).filter(({ Type }) => Type === "AWS::StepFunctions::StateMachine");
  const source = machines[0]?.Properties.DefinitionString;
  if (source === undefined || machines.length > 1) {
    throw new Error(`one state machine is expected in the template, not ${machines.length}`);
  }
  const text =
    typeof source === "string"
      ? source
      : source["Fn::Join"][1].map((part) => (typeof part === "string" ? part : "TOKEN")).join("");
  return JSON.parse(text) as Definition;
}
