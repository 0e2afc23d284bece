// @ts-nocheck
import { TASK_FUNCTIONS, type TaskFunctionName } from "../../core/functions.ts";
import { MESSAGE, ORDINARY, type Scenario } from "./scenario.ts";

/** The fence of a scenario's execution: by it a function finds the answers of the scenario. */
export function fenceOfScenario(index: number): string {
  return `scenario-${index}`;
}

/**
 * The functions of the workflow as resources of a template, each named as its state, answering as the scenarios have it. A function
 * counts the calls of each scenario in its memory, so it must have one environment only.
 */
export function scriptedFunctions(scenarios: readonly Scenario[]): Record<string, object> {
  return Object.fromEntries(
    (Object.keys(TASK_FUNCTIONS) as TaskFunctionName[]).map((task) => [task, functionResource(task, scenarios)]),
  );
}

function functionResource(task: TaskFunctionName, scenarios: readonly Scenario[]): object {
  const answers = Object.fromEntries(
    scenarios.map(({ answers: scripted = {} }, index) => [fenceOfScenario(index), scripted[task] ?? []]),
  );
  return {
    Type: "AWS::Lambda::Function",
    Properties: {
      FunctionName: task,
      Handler: "index.handler",
      Runtime: "nodejs24.x",
      Timeout: TASK_FUNCTIONS[task],
      Code: { ZipFile: sourceOf(answers, task) },
    },
  };
}

function sourceOf(answers: object, task: TaskFunctionName): string {
  return `
    const answers = ${JSON.stringify(answers)};
    const ordinary = ${JSON.stringify(ORDINARY[task])};
    const calls = {};
    exports.handler = async ({ fence }) => {
      const call = (calls[fence] = (calls[fence] ?? 0) + 1);
      const answer = answers[fence]?.[call - 1] ?? ordinary;
      if ("returns" in answer) return answer.returns;
      throw Object.assign(new Error(${JSON.stringify(MESSAGE)}), { name: answer.throws });
    };`;
}
