import { definitionText, inlineTemplate, localFunctionArn } from "../../infra/inline-template.ts";

/** A rule of a Choice, as far as the product's own definitions use them: one comparison with one value. */
export type ChoiceRule = { Variable: string; Next: string } & Record<string, string | boolean>;

/** A state of the definition. */
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

/** The workflow's definition from the synthesised CDK app. */
export function readDefinition(): Definition {
  return JSON.parse(definitionText(inlineTemplate(), localFunctionArn)) as Definition;
}
