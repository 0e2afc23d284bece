import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { FUNCTION_NAMES, type FunctionName, fileNameOf } from "../../core/settings/functions.ts";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";

/** Whether the function survives a call to a backend that hangs, and asks other backends then. */
function givesUpCalls(name: FunctionName): boolean {
  return readFileSync(new URL(`../../lambdas/${fileNameOf(name)}.ts`, import.meta.url), "utf8").includes(
    "givenUpCalls()",
  );
}

it("gives threads for calls that hang to every function that survives them, and to no other", () => {
  const threads = new Map(
    Object.entries(inlineTemplate({}).Resources).flatMap(([id, { Type, Properties = {} }]) => {
      const name = functionNameIn(id);
      const { Variables = {} } = (Properties["Environment"] ?? {}) as { Variables?: Record<string, unknown> };
      return Type === "AWS::Lambda::Function" && name !== undefined ? [[name, Variables["UV_THREADPOOL_SIZE"]]] : [];
    }),
  );
  for (const name of FUNCTION_NAMES) {
    expect([name, threads.get(name)]).toEqual([name, givesUpCalls(name) ? "128" : undefined]);
  }
});
