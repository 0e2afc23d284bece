// @ts-nocheck
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { FunctionEmulator } from "../functions/function-emulator.ts";
import type { JsonObject } from "../json.ts";
import type { PreparedDefinition } from "./asl-definition.ts";
import type { ExecutionJournal, UntoldExecution } from "./execution-journal.ts";
import type {
  DeployedStateMachine,
  Execution,
  ExecutionStatus,
  ExecutionView,
  TransitionListener,
} from "./executions.ts";
import { endEvent } from "./history.ts";
import { runExecution } from "./run-execution.ts";

/** An error of the Step Functions API; `name` is AWS's own. */
export class StatesApiError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

export interface StateMachinesOptions {
  readonly functions: FunctionEmulator;
  /** Ended executions that are kept with their history. */
  readonly maximumHistory: number;
  /** Resolves when the event is with everybody whom it concerns; it is told again after a restart until then. */
  readonly onStatusChange: (execution: ExecutionView) => Promise<void>;
  /** Without it nothing of an execution outlives the process. */
  readonly journal: ExecutionJournal | undefined;
}

export interface StateMachineDeclaration {
  readonly arn: string;
  readonly name: string;
  readonly roleArn: string;
  readonly prepared: PreparedDefinition;
  readonly loggingConfiguration: JsonObject;
}

/**
 * The state machines and executions of the cloud. They run in memory: what runs when the process ends is aborted by that. With a journal,
 * the next process knows so, keeps its name taken, and tells of its end.
 */
export interface StateMachines {
  deploy(declaration: StateMachineDeclaration): Promise<void>;
  /** Makes `aliasArn` another name by which executions of the machine are started and by which it is described. */
  addAlias(aliasArn: string, machineArn: string): void;
  /** Aborts its executions, of which nothing is known afterwards. Nothing happens when there is no such machine. */
  remove(arn: string): void;
  list(): DeployedStateMachine[];
  describe(arn: string): DeployedStateMachine;
  /** @throws {StatesApiError} as StartExecution does */
  start(request: { stateMachineArn: string; name?: string; input?: string }): ExecutionView;
  stop(request: { executionArn: string; error?: string; cause?: string }): ExecutionView;
  /** Newest first. */
  executions(filter?: { stateMachineArn?: string; status?: ExecutionStatus }): ExecutionView[];
  execution(arn: string): Execution;
  onTransition(listener: TransitionListener): () => void;
  readonly stateTransitions: number;
  readonly running: number;
  /** Tells of the ends that an earlier process did not get to tell, its own end among them. Call it when all rules are there. */
  tellInterrupted(): void;
  /** Ends every execution; none can be started any more. */
  abortAll(): void;
}

const FORBIDDEN_IN_NAMES = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]/u;
const MAXIMUM_INPUT_CHARACTERS = 262_144;

export function createStateMachines(options: StateMachinesOptions): StateMachines {
  const machines = new Map<string, DeployedStateMachine>();
  const aliases = new Map<string, string>();
  const executions = new Map<string, Execution>();
  const endedArns: string[] = [];
  const listeners = new Set<TransitionListener>();
  const counters = { stateTransitions: 0, running: 0 };
  let stopped = false;

  const find = (arn: string): DeployedStateMachine => {
    if (!/^arn:aws[\w-]*:states:[^:]*:\d{12}:stateMachine:.+/.test(arn)) {
      throw new StatesApiError("InvalidArn", `Invalid Arn: '${arn}'`);
    }
    const machine = machines.get(aliases.get(arn) ?? arn);
    if (!machine) throw new StatesApiError("StateMachineDoesNotExist", `State Machine Does Not Exist: '${arn}'`);
    return machine;
  };
  const findExecution = (arn: string): Execution => {
    if (!/^arn:aws[\w-]*:states:[^:]*:\d{12}:execution:[^:]+:.+/.test(arn)) {
      throw new StatesApiError("InvalidArn", `Invalid Arn: '${arn}'`);
    }
    const execution = executions.get(arn);
    if (!execution) throw new StatesApiError("ExecutionDoesNotExist", `Execution Does Not Exist: '${arn}'`);
    return execution;
  };
  const ended = (machine: DeployedStateMachine, execution: Execution): void => {
    counters.running -= 1;
    machine.endedNames.add(execution.name);
    endedArns.push(execution.executionArn);
    while (endedArns.length > options.maximumHistory) executions.delete(endedArns.shift() ?? "");
    options.journal?.ended(execution);
    void tellEnd(execution);
  };
  const tellEnd = async (execution: ExecutionView): Promise<void> => {
    await options.onStatusChange(execution);
    options.journal?.told(execution.executionArn);
  };
  const keepEnded = (execution: Execution): void => {
    executions.set(execution.executionArn, execution);
    endedArns.push(execution.executionArn);
  };

  return {
    get stateTransitions() {
      return counters.stateTransitions;
    },
    get running() {
      return counters.running;
    },
    deploy: async (declaration) => {
      const { StateMachine } = await import("aws-local-stepfunctions");
      // The definition has been checked, and the package's own validator takes a quarter of a second to load.
      const engine = new StateMachine(declaration.prepared.definition, {
        validationOptions: { noValidate: true },
      });
      machines.set(declaration.arn, {
        ...declaration,
        engine,
        creationDate: Date.now(),
        endedNames: machines.get(declaration.arn)?.endedNames ?? new Set(options.journal?.namesOf(declaration.arn)),
      });
    },
    addAlias: (aliasArn, machineArn) => void aliases.set(aliasArn, machineArn),
    remove: (arn) => {
      for (const execution of executions.values()) {
        if (execution.stateMachineArn === arn && execution.status === "RUNNING") execution.abort();
      }
      machines.delete(arn);
      options.journal?.forget(arn);
    },
    list: () => [...machines.values()],
    describe: find,
    start: ({ stateMachineArn, name = randomUUID(), input = "{}" }) => {
      if (stopped) throw new StatesApiError("ServiceUnavailable", "The embedded cloud is being stopped");
      const machine = find(stateMachineArn);
      const value = checkedInput(name, input);
      const executionArn = `${machine.arn.replace(":stateMachine:", ":execution:")}:${name}`;
      const existing = executions.get(executionArn);
      if (existing?.status === "RUNNING" && sameInput(existing.input, input)) return existing;
      if (existing ?? machine.endedNames.has(name)) {
        throw new StatesApiError("ExecutionAlreadyExists", `Execution Already Exists: '${executionArn}'`);
      }
      const execution: Execution = {
        executionArn,
        stateMachineArn: machine.arn,
        name,
        status: "RUNNING",
        startDate: Date.now(),
        stopDate: undefined,
        input,
        output: undefined,
        error: undefined,
        cause: undefined,
        history: [],
        abort: () => undefined,
      };
      executions.set(executionArn, execution);
      counters.running += 1;
      options.journal?.started(execution);
      void options.onStatusChange(execution);
      runExecution({
        machine,
        execution,
        input: value,
        functions: options.functions,
        listeners,
        counters,
        onEnd: () => ended(machine, execution),
      });
      return execution;
    },
    stop: ({ executionArn, error, cause }) => {
      const execution = findExecution(executionArn);
      execution.error = execution.status === "RUNNING" ? error : execution.error;
      execution.cause = execution.status === "RUNNING" ? cause : execution.cause;
      execution.abort();
      return execution;
    },
    executions: (filter = {}) =>
      [...executions.values()]
        .filter(
          (execution) => filter.stateMachineArn === undefined || execution.stateMachineArn === filter.stateMachineArn,
        )
        .filter((execution) => filter.status === undefined || execution.status === filter.status)
        .toReversed(),
    execution: findExecution,
    onTransition: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tellInterrupted: () => {
      for (const untold of options.journal?.untold() ?? []) {
        if (!machines.has(untold.stateMachineArn)) {
          options.journal?.forget(untold.stateMachineArn);
          continue;
        }
        const execution = interrupted(untold);
        keepEnded(execution);
        options.journal?.ended(execution);
        void tellEnd(execution);
      }
    },
    abortAll: () => {
      stopped = true;
      for (const execution of executions.values()) if (execution.status === "RUNNING") execution.abort();
    },
  };
}

/** An execution of an earlier process as this one knows it: ended, with the history of its beginning and end. */
function interrupted(untold: UntoldExecution): Execution {
  const wasRunning = untold.status === "RUNNING";
  const status = wasRunning ? "ABORTED" : untold.status;
  const execution: Execution = {
    ...untold,
    status,
    stopDate: untold.stopDate ?? Date.now(),
    output: undefined,
    cause: wasRunning ? "The embedded cloud ended while the execution was running." : untold.cause,
    history: [],
    abort: () => undefined,
  };
  const moments: [number, [string, JsonObject]][] = [
    [execution.startDate, ["ExecutionStarted", { executionStartedEventDetails: { input: execution.input } }]],
    [execution.stopDate ?? execution.startDate, endEvent(status, execution)],
  ];
  for (const [milliseconds, [type, details]] of moments) {
    const id = execution.history.length + 1;
    execution.history.push({ id, previousEventId: id - 1, timestamp: milliseconds / 1000, type, ...details });
  }
  return execution;
}

function checkedInput(name: string, input: string): JsonObject {
  if (name.length < 1 || name.length > 80 || FORBIDDEN_IN_NAMES.test(name)) {
    throw new StatesApiError("InvalidName", `Invalid Name: '${name}'`);
  }
  if (input.length > MAXIMUM_INPUT_CHARACTERS) {
    throw new StatesApiError(
      "ValidationException",
      "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144",
    );
  }
  try {
    return JSON.parse(input) as JsonObject;
  } catch (error) {
    throw new StatesApiError(
      "InvalidExecutionInput",
      `Invalid State Machine Execution Input: '${(error as Error).message}'`,
    );
  }
}

function sameInput(left: string, right: string): boolean {
  return left === right || isDeepStrictEqual(JSON.parse(left), JSON.parse(right));
}
