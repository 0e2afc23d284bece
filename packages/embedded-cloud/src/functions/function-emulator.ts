import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { startEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import type { FunctionDefinition, InvocationOutcome } from "./function-definition.ts";
import { type FunctionThread, startFunctionThread } from "./function-thread.ts";

export interface FunctionEmulatorOptions {
  readonly region: string;
  /** Upper bound of a function's environments; a smaller reserved concurrency takes precedence. */
  readonly environmentsPerFunction: number;
  /** Number of threads that all environments share; 0 gives each its own. */
  readonly sharedThreads: number;
  /** An environment without work for this long is ended. */
  readonly idleSeconds: number;
  readonly logSink: ((line: string) => void) | undefined;
  /** Called at the end of each invocation. */
  readonly onInvoked: (functionName: string, failed: boolean) => void;
  /** AWS_ENDPOINT_URL_* and credentials, given to every function under its own variables. */
  readonly cloudEnvironment: Readonly<Record<string, string>>;
  /** Variables of every function that override those. */
  readonly functionEnvironment: Readonly<Record<string, string>>;
}

/** Runs functions from their bundles. */
export interface FunctionEmulator {
  /**
   * Adds a function, or replaces one: running invocations continue in the old code, waiting and later ones run the new code.
   */
  register(definition: FunctionDefinition): void;
  /** Finds a function by name, partial ARN or ARN, with or without a qualifier. */
  find(nameOrArn: string): FunctionDefinition | undefined;
  list(): FunctionDefinition[];
  /** Upper bound of the function's concurrent invocations. */
  capacityOf(name: string): number;
  /**
   * Invokes a function and waits for its end; it waits while every environment is busy, instead of being throttled. Never rejects.
   *
   * @param payload JSON text
   */
  invoke(name: string, payload: string): Promise<InvocationOutcome>;
  /** Invocations so far, by function name. */
  readonly invocations: ReadonlyMap<string, number>;
  /** Invocations that run or wait. */
  readonly busy: number;
  /** Shows all running invocations that their time is almost over, and waits until they have ended, at most for this time. */
  finish(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

interface Waiting {
  readonly payload: string;
  readonly resolve: (outcome: InvocationOutcome) => void;
}

interface FunctionState {
  readonly definition: FunctionDefinition;
  readonly limit: number;
  readonly idle: Environment[];
  readonly all: Set<Environment>;
  readonly queue: Waiting[];
}

/** Interval at which it checks whether everything has ended. */
const FINISH_LOOK_MILLISECONDS = 50;

export function createFunctionEmulator(options: FunctionEmulatorOptions): FunctionEmulator {
  const states = new Map<string, FunctionState>();
  const invocations = new Map<string, number>();
  const threadFor = createThreads(options.sharedThreads);
  let busy = 0;
  let stopped = false;

  /**
   * An invocation whose thread was ended because of another function in it is repeated. Lambda, too, may invoke a function more than once,
   * and the caller sees one answer.
   */
  const run = async (state: FunctionState, environment: Environment, waiting: Waiting): Promise<void> => {
    const { payload, resolve } = waiting;
    const outcome = await environment.invoke({
      requestId: randomUUID(),
      payload,
      invokedFunctionArn: state.definition.arn,
    });
    if (outcome.kind === "evicted" && !stopped) {
      state.all.delete(environment);
      const current = states.get(state.definition.name) ?? state;
      current.queue.unshift(waiting);
      dispatch(current);
      return;
    }
    busy -= 1;
    const replaced = states.get(state.definition.name) !== state;
    if (environment.usable && !stopped && !replaced) state.idle.push(environment);
    else state.all.delete(environment);
    if (replaced) void environment.end();
    if (outcome.kind !== "evicted") options.onInvoked(state.definition.name, outcome.kind === "failed");
    resolve(outcome.kind === "evicted" ? { kind: "throttled" } : outcome);
    dispatch(state);
  };
  const dispatch = (state: FunctionState): void => {
    for (;;) {
      const environment = stopped || state.queue.length === 0 ? undefined : takeEnvironment(state, options, threadFor);
      const next = environment && state.queue.shift();
      if (!environment || !next) return;
      void run(state, environment, next);
    }
  };
  const reaper = setInterval(
    () => {
      for (const state of states.values()) endIdle(state, options.idleSeconds * 1000);
    },
    Math.max(1000, options.idleSeconds * 250),
  );
  reaper.unref();

  return {
    invocations,
    get busy() {
      return busy;
    },
    register: (definition) => {
      const limit = Math.max(1, Math.min(options.environmentsPerFunction, definition.reservedConcurrency ?? Infinity));
      const earlier = states.get(definition.name);
      const state: FunctionState = {
        definition,
        limit,
        idle: [],
        all: new Set(),
        queue: earlier?.queue.splice(0) ?? [],
      };
      states.set(definition.name, state);
      invocations.set(definition.name, invocations.get(definition.name) ?? 0);
      for (const environment of earlier?.idle.splice(0) ?? []) void environment.end();
      dispatch(state);
    },
    find: (nameOrArn) => states.get(functionNameOf(nameOrArn))?.definition,
    list: () => [...states.values()].map(({ definition }) => definition),
    capacityOf: (name) => states.get(name)?.limit ?? 0,
    invoke: (name, payload) => {
      const state = states.get(name);
      if (!state || stopped || state.definition.reservedConcurrency === 0)
        return Promise.resolve({ kind: "throttled" });
      invocations.set(name, (invocations.get(name) ?? 0) + 1);
      busy += 1;
      return new Promise((resolve) => {
        state.queue.push({ payload, resolve });
        dispatch(state);
      });
    },
    finish: async (milliseconds) => {
      const deadline = Date.now() + milliseconds;
      for (;;) {
        if (busy === 0 || Date.now() > deadline) return;
        // Repeatedly, because one may begin while another ends.
        for (const { all } of states.values()) for (const environment of all) environment.hurry(deadline - Date.now());
        await delay(FINISH_LOOK_MILLISECONDS);
      }
    },
    stop: async () => {
      stopped = true;
      clearInterval(reaper);
      for (const { queue } of states.values()) {
        busy -= queue.length;
        for (const { resolve } of queue.splice(0)) resolve({ kind: "throttled" });
      }
      await Promise.all([...states.values()].flatMap(({ all }) => [...all]).map((environment) => environment.end()));
    },
  };
}

/** Small, because a stack has dozens of environments, and each would let its young generation grow to 16 MiB and more. */
const OWN_YOUNG_GENERATION_MIB = 8;

/** Memory limits of a thread for all functions. */
const SHARED_HEAP = { youngGenerationMib: 24, oldGenerationMib: 1024 };

/** Gives an environment of a function its thread: its own, or the next of those that are shared until they have to be replaced. */
function createThreads(shared: number): (definition: FunctionDefinition, earlier: number) => FunctionThread {
  const threads: FunctionThread[] = [];
  let lastFirst = 0;
  return ({ name, memorySizeMib }, earlier) => {
    if (shared === 0)
      return startFunctionThread(name, {
        youngGenerationMib: OWN_YOUNG_GENERATION_MIB,
        oldGenerationMib: memorySizeMib,
      });
    // The environments of one function go to different threads, and so do the first ones of all functions.
    const index = (earlier === 0 ? (lastFirst += 1) : lastFirst + earlier) % shared;
    const known = threads[index];
    if (known?.usable) return known;
    const thread = startFunctionThread(`functions ${index + 1}`, SHARED_HEAP);
    threads[index] = thread;
    return thread;
  };
}

function takeEnvironment(
  state: FunctionState,
  options: FunctionEmulatorOptions,
  threadFor: (definition: FunctionDefinition, earlier: number) => FunctionThread,
): Environment | undefined {
  for (let idle = state.idle.pop(); idle; idle = state.idle.pop()) {
    if (idle.usable) return idle;
    state.all.delete(idle);
  }
  if (state.all.size >= state.limit) return undefined;
  const { definition } = state;
  const { logSink } = options;
  const environment = startEnvironment({
    definition,
    variables: functionVariables(definition, options),
    onLog: logSink ? (text) => forwardLines(definition.name, text, logSink) : undefined,
    thread: threadFor(definition, state.all.size),
  });
  state.all.add(environment);
  return environment;
}

function endIdle(state: FunctionState, idleMilliseconds: number): void {
  const limit = Date.now() - idleMilliseconds;
  for (const environment of state.idle.filter(({ idleSince }) => idleSince < limit)) {
    state.idle.splice(state.idle.indexOf(environment), 1);
    state.all.delete(environment);
    void environment.end();
  }
}

function forwardLines(functionName: string, text: string, sink: (line: string) => void): void {
  for (const line of text.split("\n")) if (line !== "") sink(`${functionName}: ${line}`);
}

/** The variables that Lambda sets for a Node function, under those of the template, which may set its own endpoints. */
function functionVariables(definition: FunctionDefinition, options: FunctionEmulatorOptions): Record<string, string> {
  const today = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  return {
    PATH: process.env["PATH"] ?? "",
    LANG: "en_US.UTF-8",
    TZ: ":UTC",
    ...options.cloudEnvironment,
    // Lambda gives each function the credentials of its own role, so a call identifies its function.
    AWS_ACCESS_KEY_ID: definition.name,
    ...options.functionEnvironment,
    ...definition.environment,
    _HANDLER: definition.handler,
    LAMBDA_TASK_ROOT: definition.codeDirectory,
    AWS_REGION: options.region,
    AWS_DEFAULT_REGION: options.region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${definition.runtime}`,
    AWS_LAMBDA_FUNCTION_NAME: definition.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(definition.memorySizeMib),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: definition.logGroupName,
    AWS_LAMBDA_LOG_STREAM_NAME: `${today}/[$LATEST]${randomUUID().replaceAll("-", "")}`,
  };
}

/** `name`, `account:function:name` or a whole ARN, each with an optional `:qualifier`. */
export function functionNameOf(nameOrArn: string): string {
  const match = /(?:^|:)function:([^:]+)/.exec(nameOrArn);
  return match?.[1] ?? nameOrArn.split(":")[0] ?? nameOrArn;
}
