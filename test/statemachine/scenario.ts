import type { TaskFunctionName } from "../../core/settings/functions.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";

/**
 * Scenarios of the workflow as data: what each task's function answers, and which way the execution takes then. They run on the
 * engine in process, and by the Step Functions API on any other.
 */

/**
 * One answer of a function: a result, an error by its name, an answer that comes after so many seconds, or a result that is larger than
 * so many bytes.
 */
export type Answer = { returns: unknown } | { throws: string } | { sleeps: number } | { fills: number };

/** How an execution ends. The cause is the message of the error that ended it. */
export type Outcome = { status: "SUCCEEDED" } | { status: "FAILED"; error: string; cause: string };

export type Scenario = {
  name: string;
  input?: Partial<WorkflowInput>;
  /** Answers by task in their order; a task whose answers are used up gives its {@link ORDINARY} one. */
  answers?: Partial<Record<TaskFunctionName, Answer[]>>;
  /** The states that are entered. */
  path: string[];
  /** How often the function of a task is called in all, where that is not once each time that its state is entered. */
  calls?: Partial<Record<TaskFunctionName, number>>;
  outcome: Outcome;
  /** TimeoutSeconds of states, where the scenario is about them. */
  timeoutSeconds?: Partial<Record<TaskFunctionName, number>>;
  /** It takes minutes where waits take their time. */
  slow?: boolean;
};

export const SUCCEEDED: Outcome = { status: "SUCCEEDED" };

const VOLUME_ID = "5b2f4c1e-9d3a-4f60-8a71-000000000001";

/** The message of every scripted error. */
export const MESSAGE = "as the scenario has it";

/** The execution fails with that error and the scripted message. */
export function failedBy(error: string): Outcome {
  return { status: "FAILED", error, cause: MESSAGE };
}

export function returns(result: unknown): Answer {
  return { returns: result };
}

export function throws(error: string, times = 1): Answer[] {
  return Array.from({ length: times }, () => ({ throws: error }));
}

/** The function answers later than its state waits, so often. */
export function sleeps(seconds: number, times = 1): Answer[] {
  return Array.from({ length: times }, () => ({ sleeps: seconds }));
}

/** The function returns more than a state may have, so often. */
export function overfills(times = 1): Answer[] {
  return Array.from({ length: times }, () => ({ fills: 262_144 }));
}

/** The spec of a create of that type. */
export function specOf(type: string): Answer {
  return returns({
    type,
    status: "creating",
    volume_id: VOLUME_ID,
    volume_name: `volume-${VOLUME_ID}`,
    volume_size: 1,
  });
}

/** A create that is done, and what follows it. */
export function done(next: "copy_image" | "bootable" | "finish", more: object = {}): Answer {
  return returns({ done: true, wait_seconds: 0, checkpoint: null, next, model_update: null, ...more });
}

/** A create that its backend continues. */
export function working(next: "copy_image" | "bootable" | "finish", more: object = {}): Answer {
  return returns({ done: false, wait_seconds: 1, checkpoint: { turn: 1 }, next, model_update: null, ...more });
}

/** Default answers of functions that the scenario does not script: a raw create that succeeds at once. */
export const ORDINARY: Record<TaskFunctionName, Answer> = {
  ExtractVolumeRef: returns({ id: VOLUME_ID, size: 1 }),
  ExtractVolumeSpec: specOf("raw"),
  NotifyCreateStart: returns(null),
  CreateRawVolume: done("finish"),
  CreateVolumeFromSnapshot: done("finish"),
  CreateClonedVolume: done("finish"),
  CloneImage: done("bootable", { cloned: true }),
  CreateVolumeForImage: done("copy_image"),
  CheckBackend: done("finish"),
  CopyImageToVolume: returns({ done: true, wait_seconds: 0, checkpoint: null }),
  HandleBootableVolume: returns(null),
  CreateVolumeOnFinish: returns(null),
  RescheduleVolume: returns({ outcome: "rescheduled" }),
  ErrorOutVolume: returns({ outcome: "error" }),
};

/** The input of a scenario's execution; its fence is the scenario's own, so that a function knows whose call it answers. */
export function inputOf(scenario: Scenario, fence: string): WorkflowInput {
  return {
    context: { request_id: "req", user_id: "u", project_id: "p", is_admin: false, roles: [] },
    volume_id: VOLUME_ID,
    attempt: 1,
    host: "node@first#pool",
    image_id: null,
    snapshot_id: null,
    source_volid: null,
    request_spec: {},
    filter_properties: {},
    allow_reschedule: true,
    reschedule_failure: null,
    ...scenario.input,
    fence,
  };
}
