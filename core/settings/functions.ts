import { LONG_FUNCTION_TIMEOUT_SECONDS, SHORT_FUNCTION_TIMEOUT_SECONDS } from "./time-bounds.ts";

/**
 * The starter of a function:
 *
 * - `task`: a state of the workflow;
 * - `queue`: batches of messages of a queue;
 * - `event`: an event, asynchronously;
 * - `schedule`: a rate, asynchronously;
 * - `call`: clients and other functions, by its name;
 * - `api`: HTTP requests.
 */
export type FunctionKind = "task" | "queue" | "event" | "schedule" | "call" | "api";

/** `net`: ends volumes that the workflow did not decide. */
export type FunctionPurpose = "create" | "request" | "net" | "backends";

/**
 * A part that a function uses in addition to tables. The stack gives the function the variables, permissions and network for it:
 *
 * - `drivers`: the drivers of the backends, so it is in the network of the file system and reaches only DynamoDB and S3;
 * - `every-backend`: drivers of all backends in one process;
 * - `remote-drivers`: the drivers through `CallDriver`, because it also calls other services;
 * - `images`: image services;
 * - `notifications`: sends notifications;
 * - `deadlines`: writes deadlines, or checks whether a claim or a removal is overdue;
 * - `scheduler-settings`: the settings of filters and weighers;
 * - `requests`: sends messages to the scheduler queue;
 * - `dead-letters`: sends messages to the dead-letter queue of the scheduler.
 */
export type FunctionUse =
  | "drivers"
  | "every-backend"
  | "remote-drivers"
  | "images"
  | "notifications"
  | "deadlines"
  | "scheduler-settings"
  | "requests"
  | "dead-letters";

/** The description of one function. */
export type FunctionEntry = {
  kind: FunctionKind;
  purpose: FunctionPurpose;
  timeoutSeconds: typeof SHORT_FUNCTION_TIMEOUT_SECONDS | typeof LONG_FUNCTION_TIMEOUT_SECONDS;
  uses: readonly FunctionUse[];
  memoryMib: number;
};

/** Functions that wait for answers most of the time. */
const BRIEF = { timeoutSeconds: SHORT_FUNCTION_TIMEOUT_SECONDS, memoryMib: 512 } as const;

/** Functions that copy and hash. More memory is more CPU: at 1,769 MB a function has one vCPU. */
const COPIES = { timeoutSeconds: LONG_FUNCTION_TIMEOUT_SECONDS, memoryMib: 1769 } as const;

/** Functions that list for minutes. */
const LISTS = { timeoutSeconds: LONG_FUNCTION_TIMEOUT_SECONDS, memoryMib: 512 } as const;

const TASK = { kind: "task", purpose: "create" } as const;
const REQUEST = { kind: "call", purpose: "request" } as const;

/** The functions in the order in which documents list them. */
const MANIFEST = {
  ExtractVolumeRef: { ...TASK, ...BRIEF, uses: [] },
  ExtractVolumeSpec: { ...TASK, ...BRIEF, uses: ["images"] },
  NotifyCreateStart: { ...TASK, ...BRIEF, uses: ["notifications"] },
  CreateRawVolume: { ...TASK, ...BRIEF, uses: ["drivers", "deadlines"] },
  CreateVolumeFromSnapshot: { ...TASK, ...COPIES, uses: ["drivers", "deadlines"] },
  CreateClonedVolume: { ...TASK, ...COPIES, uses: ["drivers", "deadlines"] },
  CloneImage: { ...TASK, ...COPIES, uses: ["drivers", "images", "deadlines"] },
  CreateVolumeForImage: { ...TASK, ...BRIEF, uses: ["drivers", "deadlines"] },
  CheckBackend: { ...TASK, ...COPIES, uses: ["drivers", "images", "deadlines"] },
  CopyImageToVolume: { ...TASK, ...COPIES, uses: ["drivers", "images", "deadlines"] },
  HandleBootableVolume: { ...TASK, ...BRIEF, uses: [] },
  CreateVolumeOnFinish: { ...TASK, ...BRIEF, uses: ["notifications"] },
  RescheduleVolume: { ...TASK, ...BRIEF, uses: ["remote-drivers", "deadlines", "requests"] },
  ErrorOutVolume: { ...TASK, purpose: "net", ...BRIEF, uses: ["remote-drivers", "notifications", "deadlines"] },
  BlockStorageApi: { kind: "api", purpose: "create", ...BRIEF, uses: ["remote-drivers", "deadlines", "requests"] },
  ScheduleVolume: {
    kind: "queue",
    purpose: "create",
    ...BRIEF,
    uses: ["notifications", "deadlines", "scheduler-settings", "dead-letters"],
  },
  DeleteVolume: { ...REQUEST, ...BRIEF, uses: ["drivers", "deadlines"] },
  ExtendVolume: { ...REQUEST, ...BRIEF, uses: ["drivers", "deadlines", "scheduler-settings"] },
  CreateSnapshot: { ...REQUEST, ...COPIES, uses: ["drivers", "deadlines"] },
  DeleteSnapshot: { ...REQUEST, ...BRIEF, uses: ["drivers", "deadlines"] },
  CallDriver: { ...REQUEST, ...BRIEF, uses: ["drivers"] },
  KeepDeadLetters: { kind: "queue", purpose: "net", ...BRIEF, uses: ["notifications", "deadlines"] },
  ErrorOutFailedExecution: {
    kind: "event",
    purpose: "net",
    ...BRIEF,
    uses: ["remote-drivers", "notifications", "deadlines"],
  },
  SweepOverdueVolumes: {
    kind: "schedule",
    purpose: "net",
    ...BRIEF,
    uses: ["remote-drivers", "notifications", "deadlines"],
  },
  ReportBackends: { kind: "schedule", purpose: "backends", ...BRIEF, uses: ["drivers", "every-backend"] },
  AuditBackends: { kind: "schedule", purpose: "backends", ...LISTS, uses: ["drivers", "every-backend", "deadlines"] },
} as const satisfies Readonly<Record<string, FunctionEntry>>;

/**
 * A function's name. In three spellings it is a state of the workflow (or a role outside it), a construct id, and the file
 * `lambdas/<kebab-case>.ts`.
 */
export type FunctionName = keyof typeof MANIFEST;

/** Names of the functions of that kind. */
export type NameOfKind<Kind extends FunctionKind> = {
  [Name in FunctionName]: (typeof MANIFEST)[Name]["kind"] extends Kind ? Name : never;
}[FunctionName];

/** A task state's name. */
export type TaskFunctionName = NameOfKind<"task">;

/** Every function. The stack, its alarms, the costs and the documents derive their lists of functions from it. */
export const FUNCTIONS: Readonly<Record<FunctionName, FunctionEntry>> = MANIFEST;

/** Names of all functions. */
export const FUNCTION_NAMES = Object.keys(FUNCTIONS) as readonly FunctionName[];

/** The functions of that kind. */
export function functionsOfKind<Kind extends FunctionKind>(kind: Kind): NameOfKind<Kind>[] {
  return FUNCTION_NAMES.filter((name): name is NameOfKind<Kind> => FUNCTIONS[name].kind === kind);
}

/** The functions that use it. */
export function functionsUsing(use: FunctionUse): FunctionName[] {
  return FUNCTION_NAMES.filter((name) => FUNCTIONS[name].uses.includes(use));
}

/** Functions that are task states of the workflow. */
export const TASK_NAMES: readonly TaskFunctionName[] = functionsOfKind("task");

/** `ExtractVolumeRef` as a file name: `extract-volume-ref`. */
export function fileNameOf(functionName: FunctionName): string {
  return functionName.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}
