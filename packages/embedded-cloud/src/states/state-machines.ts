import { randomUUID } from "node:crypto";
import type { StateMachine } from "aws-local-stepfunctions";
import type { FunctionEmulator } from "../functions/function-emulator.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { PreparedDefinition } from "./asl-definition.ts";
import type { ExecutionJournal, JournalledExecution } from "./execution-journal.ts";
import { executionOf } from "./executions.ts";
import type {
  DeployedStateMachine,
  Execution,
  ExecutionStatus,
  ExecutionView,
  TransitionListener,
} from "./executions.ts";
import { continuationOf, storedExecution } from "./interrupted-executions.ts";
import type { Resumption } from "./resumption.ts";
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
  /** Number of ended executions that are kept with their history. */
  readonly maximumHistory: number;
  /** Resolves when every target has accepted the event; until then it is sent again after a restart. */
  readonly onStatusChange: (execution: ExecutionView) => Promise<void>;
  /** Without it no data of an execution outlives the process. */
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
 * The state machines and executions of the cloud. With a journal, the next process continues the executions that were running when this one
 * ended, in any way, and knows the ended ones.
 */
export interface StateMachines {
  deploy(declaration: StateMachineDeclaration): Promise<void>;
  /** Makes `aliasArn` another name by which executions of the machine are started and by which it is described. */
  addAlias(aliasArn: string, machineArn: string): void;
  /** Aborts and forgets its executions. Does nothing when there is no such machine. */
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
  /**
   * Takes over the executions of earlier processes: continues the running ones, sends missing events of ended ones, and keeps the
   * histories. Call it when all machines and rules are deployed.
   *
   * @returns how many executions continue
   */
  takeOver(): Promise<number>;
  /** From now on no execution begins another task; each stops before its next task, or ends. Executions can still be started. */
  drain(): void;
  /** Stops every execution in its state; none can be started any more. */
  suspendAll(): void;
}

/** The definition has been checked, and the package's own validator takes a quarter of a second to load. */
const UNCHECKED = { validationOptions: { noValidate: true } };

const FORBIDDEN_IN_NAMES = /[\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]/u;
const MAXIMUM_INPUT_CHARACTERS = 262_144;

export function createStateMachines(options: StateMachinesOptions): StateMachines {
  const machines = new Map<string, DeployedStateMachine>();
  const aliases = new Map<string, string>();
  const executions = new Map<string, Execution>();
  const endedArns: string[] = [];
  const listeners = new Set<TransitionListener>();
  const counters = { stateTransitions: 0, running: 0 };
  let engineTimeout: Error | undefined;
  let draining = false;
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
    options.journal?.ended(execution);
    keepEnded(execution);
    void sendEnd(execution);
  };
  const sendEnd = async (execution: ExecutionView): Promise<void> => {
    await options.onStatusChange(execution);
    options.journal?.told(execution.executionArn);
  };
  const keepEnded = (execution: Execution): void => {
    executions.set(execution.executionArn, execution);
    endedArns.push(execution.executionArn);
    while (endedArns.length > options.maximumHistory) {
      const arn = endedArns.shift() ?? "";
      executions.delete(arn);
      options.journal?.forgetData(arn);
    }
  };
  const run = (
    machine: DeployedStateMachine,
    execution: Execution,
    input: JsonValue,
    resumption?: Resumption,
  ): void => {
    executions.set(execution.executionArn, execution);
    counters.running += 1;
    runExecution({
      machine,
      execution,
      resumption,
      input,
      functions: options.functions,
      listeners,
      counters,
      isDraining: () => draining,
      record: (event, isPosition) => options.journal?.recorded(execution.executionArn, event, isPosition),
      onEnd: () => ended(machine, execution),
    });
  };
  const takeOver = (journal: ExecutionJournal, Engine: typeof StateMachine): number => {
    for (const arn of journal.machines()) if (!machines.has(arn)) journal.forget(arn);
    const left = journal.executions();
    for (const one of left.filter(({ status }) => status !== "RUNNING").toSorted(byEnd)) {
      const execution = storedExecution(one, journal);
      keepEnded(execution);
      if (!one.told) void sendEnd(execution);
    }
    let resumed = 0;
    for (const one of left.filter(({ status }) => status === "RUNNING")) {
      const machine = machines.get(one.stateMachineArn);
      const { execution, prepared, roleArn, resumption } = continuationOf(one, journal, Date.now());
      if (machine === undefined || prepared === undefined) {
        keepEnded(execution);
        void sendEnd(execution);
        continue;
      }
      const engine = new Engine(resumption?.definition ?? prepared.definition, UNCHECKED);
      run({ ...machine, prepared, roleArn, engine }, execution, JSON.parse(execution.input) as JsonValue, resumption);
      resumed += 1;
    }
    return resumed;
  };

  return {
    get stateTransitions() {
      return counters.stateTransitions;
    },
    get running() {
      return counters.running;
    },
    deploy: async (declaration) => {
      const { StateMachine: Engine } = await import("aws-local-stepfunctions");
      const engine = new Engine(declaration.prepared.definition, UNCHECKED);
      engineTimeout ??= await timeoutOf(Engine);
      machines.set(declaration.arn, {
        ...declaration,
        engine,
        engineTimeout,
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
      if (existing?.status === "RUNNING" && existing.input === input) return existing;
      if (existing ?? machine.endedNames.has(name)) {
        throw new StatesApiError("ExecutionAlreadyExists", `Execution Already Exists: '${executionArn}'`);
      }
      const execution = executionOf(
        {
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
        },
        [],
      );
      options.journal?.started(execution, { definition: machine.prepared.source, roleArn: machine.roleArn });
      void options.onStatusChange(execution);
      run(machine, execution, value);
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
    takeOver: async () => {
      return options.journal ? takeOver(options.journal, (await import("aws-local-stepfunctions")).StateMachine) : 0;
    },
    drain: () => {
      draining = true;
    },
    suspendAll: () => {
      stopped = true;
      for (const execution of executions.values()) execution.suspend();
    },
  };
}

/** The engine's error for a task that timed out. Its package does not export it, so it is provoked. */
async function timeoutOf(Engine: typeof StateMachine): Promise<Error> {
  const States = {
    Late: { Type: "Task", Resource: "arn:aws:lambda:x:0:function:late", TimeoutSeconds: 0.001, End: true },
  };
  const late = new Engine({ StartAt: "Late", States } as never, UNCHECKED);
  const overrides = { taskResourceLocalHandlers: { Late: () => new Promise<never>(() => undefined) } };
  const failure = await late.run({}, { overrides }).result.catch((error: unknown) => error as Error);
  return (failure as Error).cause as Error;
}

function byEnd(left: JournalledExecution, right: JournalledExecution): number {
  return (left.stopDate ?? 0) - (right.stopDate ?? 0);
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
