import { definitionText, inlineTemplate, localFunctionArn } from "../infra/inline-template.ts";

/** A retrier or catcher. */
export type Retrier = {
  ErrorEquals: string[];
  IntervalSeconds?: number;
  MaxAttempts?: number;
  BackoffRate?: number;
  MaxDelaySeconds?: number;
};
export type Catcher = { ErrorEquals: string[]; ResultPath?: string; Next: string };

/** A state as it stands in the definition. */
export type State = {
  Type: string;
  Next?: string;
  End?: boolean;
  Resource?: string;
  TimeoutSeconds?: number;
  Parameters?: Record<string, unknown>;
  ResultPath?: string | null;
  Retry?: Retrier[];
  Catch?: Catcher[];
  Choices?: ({ Variable: string; Next: string } & Record<string, unknown>)[];
  Default?: string;
  SecondsPath?: string;
  ErrorPath?: string;
  CausePath?: string;
};

/** The workflow in the Amazon States Language. */
export type Definition = { StartAt: string; TimeoutSeconds?: number; States: Record<string, State> };

/** The definition as the app synthesises it, with local ARNs. */
export const DEFINITION_TEXT: string = definitionText(inlineTemplate(), localFunctionArn);
export const DEFINITION = JSON.parse(DEFINITION_TEXT) as Definition;

export const STATES: [string, State][] = Object.entries(DEFINITION.States);
export const TASK_STATES: [string, State][] = STATES.filter(([, { Type }]) => Type === "Task");

/** The state of that name. */
export function stateOf(name: string): State {
  const state = DEFINITION.States[name];
  if (state === undefined) {
    throw new Error(`no state ${name}`);
  }
  return state;
}
