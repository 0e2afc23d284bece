import { LONG_FUNCTION_TIMEOUT_SECONDS, SHORT_FUNCTION_TIMEOUT_SECONDS } from "./time-bounds.ts";

/**
 * The functions by name. A name is, in three spellings, a state (or a role outside the workflow), a construct id, and the file
 * `lambdas/<kebab-case>.ts`.
 */

const short = SHORT_FUNCTION_TIMEOUT_SECONDS;
const long = LONG_FUNCTION_TIMEOUT_SECONDS;

/** Functions that are task states of the workflow, with their time-outs in seconds. */
export const TASK_FUNCTIONS = {
  ExtractVolumeRef: short,
  ExtractVolumeSpec: short,
  NotifyCreateStart: short,
  CreateRawVolume: short,
  CreateVolumeFromSnapshot: long,
  CreateClonedVolume: long,
  CloneImage: long,
  CreateVolumeForImage: short,
  CheckBackend: long,
  CopyImageToVolume: long,
  HandleBootableVolume: short,
  CreateVolumeOnFinish: short,
  RescheduleVolume: short,
  ErrorOutVolume: short,
} as const;

/** A task state's name. */
export type TaskFunctionName = keyof typeof TASK_FUNCTIONS;

/** Functions outside the workflow, with their time-outs in seconds. */
export const SERVICE_FUNCTIONS = {
  ScheduleVolume: short,
  KeepDeadLetters: short,
  ErrorOutFailedExecution: short,
  SweepOverdueVolumes: short,
  ReportBackends: short,
  CreateSnapshot: long,
  DeleteSnapshot: short,
  DeleteVolume: short,
  ExtendVolume: short,
  AuditBackends: long,
  BlockStorageApi: short,
  CallDriver: short,
} as const;

/** A service function's name. */
export type ServiceFunctionName = keyof typeof SERVICE_FUNCTIONS;

/** Any function's name. */
export type FunctionName = TaskFunctionName | ServiceFunctionName;

/** Every function with its time-out in seconds. */
export const FUNCTIONS: Readonly<Record<FunctionName, number>> = { ...TASK_FUNCTIONS, ...SERVICE_FUNCTIONS };

/**
 * Memory of the functions in MiB that need more than the others. More memory is more CPU: at 1,769 MB a function has
 * one vCPU. Functions that copy and hash are bound by it, the others wait for answers most of the time.
 */
const MEMORY_MIB: Partial<Record<FunctionName, number>> = {
  CreateVolumeFromSnapshot: 1769,
  CreateClonedVolume: 1769,
  CloneImage: 1769,
  CheckBackend: 1769,
  CopyImageToVolume: 1769,
  CreateSnapshot: 1769,
};

const DEFAULT_MEMORY_MIB = 512;

/** Memory of a function in MiB. */
export function memoryMibOf(functionName: FunctionName): number {
  return MEMORY_MIB[functionName] ?? DEFAULT_MEMORY_MIB;
}

/** `ExtractVolumeRef` as a file name: `extract-volume-ref`. */
export function fileNameOf(functionName: FunctionName): string {
  return functionName.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}
