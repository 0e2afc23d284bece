import { FAIL_FUNCTION, FAIL_FUNCTION_SOURCE } from "../../statemachine/step-functions-local.ts";
import { FUNCTIONS, TASK_NAMES, type TaskFunctionName } from "../../core/settings/functions.ts";
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
  const tasks = TASK_NAMES;
  return {
    ...Object.fromEntries(
      tasks.map((task) => [task, resource(task, FUNCTIONS[task].timeoutSeconds, sourceOfTask(task, scenarios))]),
    ),
    [FAIL_FUNCTION]: resource(FAIL_FUNCTION, 30, FAIL_FUNCTION_SOURCE),
  };
}

function resource(name: string, timeoutSeconds: number, source: string): object {
  return {
    Type: "AWS::Lambda::Function",
    Properties: {
      FunctionName: name,
      Handler: "index.handler",
      Runtime: "nodejs24.x",
      Timeout: timeoutSeconds,
      Code: { ZipFile: source },
    },
  };
}

function sourceOfTask(task: TaskFunctionName, scenarios: readonly Scenario[]): string {
  const answers = Object.fromEntries(
    scenarios.map(({ answers: scripted = {} }, index) => [fenceOfScenario(index), scripted[task] ?? []]),
  );
  return sourceOf(answers, task);
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
      if ("sleeps" in answer) {
        await new Promise((resolve) => setTimeout(resolve, answer.sleeps * 1000));
        return null;
      }
      if ("fills" in answer) return { filling: "x".repeat(answer.fills) };
      throw Object.assign(new Error(${JSON.stringify(MESSAGE)}), { name: answer.throws });
    };`;
}
