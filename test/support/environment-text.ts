import { functionNameIn, type Template } from "../../infra/inline-template.ts";

/** A variable of a function in a template, as JSON: it may be a text or a function of CloudFormation. */
export function environmentText(template: Template, functionName: string, variable: string): string {
  const [, resource] =
    Object.entries(template.Resources).find(
      ([id, { Type }]) => Type === "AWS::Lambda::Function" && functionNameIn(id) === functionName,
    ) ?? [];
  const environment = resource?.Properties?.["Environment"] as { Variables: Record<string, unknown> } | undefined;
  return JSON.stringify(environment?.Variables[variable] ?? null);
}
