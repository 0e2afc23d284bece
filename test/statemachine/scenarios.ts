import type { TaskFunctionName } from "../../core/settings/functions.ts";
import {
  done,
  failedBy,
  MESSAGE,
  overfills,
  returns,
  type Scenario,
  sleeps,
  specOf,
  SUCCEEDED,
  throws,
  working,
} from "./scenario.ts";

/** Every scenario of the workflow. The routes of the definition that none of these takes fail a test. */

const EXTRACT = ["ExtractVolumeRef", "ExtractVolumeSpec", "NotifyCreateStart", "CreateVolumeFromSpec"];
const FINISH = ["CreateVolumeOnFinish", "VolumeCreated"];
const WAIT = ["WaitForBackend", "CheckBackend", "BackendReady"];
const COPY = ["CopyImageToVolume", "ImageCopied"];
const RESCHEDULED = ["CanReschedule", "RescheduleVolume", "VolumeRescheduled"];
const FAILED = ["ErrorOutVolume", "CreatedAfterAll", "VolumeCreateFailed"];
const RAW = [...EXTRACT, "CreateRawVolume"];
const DOWNLOAD = [...EXTRACT, "CloneImage", "ImageCloned", "CreateVolumeForImage", "BackendReady"];
const NOT_CLONED = returns({
  done: false,
  wait_seconds: 0,
  checkpoint: null,
  next: "bootable",
  model_update: null,
  cloned: false,
});
const AS_IMAGE = { ExtractVolumeSpec: [specOf("image")] };
const AS_DOWNLOAD = { ...AS_IMAGE, CloneImage: [NOT_CLONED] };

const CREATES: Scenario[] = [
  { name: "a raw volume", path: [...RAW, "BackendReady", ...FINISH], outcome: SUCCEEDED },
  {
    name: "a volume from a snapshot",
    answers: { ExtractVolumeSpec: [specOf("snap")] },
    path: [...EXTRACT, "CreateVolumeFromSnapshot", "BackendReady", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a volume from the snapshot of a bootable volume",
    answers: { ExtractVolumeSpec: [specOf("snap")], CreateVolumeFromSnapshot: [done("bootable")] },
    path: [...EXTRACT, "CreateVolumeFromSnapshot", "BackendReady", "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a clone of a bootable volume",
    answers: { ExtractVolumeSpec: [specOf("source_vol")], CreateClonedVolume: [done("bootable")] },
    path: [...EXTRACT, "CreateClonedVolume", "BackendReady", "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "an image that the driver clones",
    answers: AS_IMAGE,
    path: [...EXTRACT, "CloneImage", "ImageCloned", "BackendReady", "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "an image that is copied",
    answers: AS_DOWNLOAD,
    path: [...DOWNLOAD, "CopyImageToVolume", "ImageCopied", "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "an image whose copy takes three turns",
    answers: {
      ...AS_DOWNLOAD,
      CopyImageToVolume: [
        returns({ done: false, wait_seconds: 0, checkpoint: null }),
        returns({ done: false, wait_seconds: 0, checkpoint: null }),
      ],
    },
    path: [...DOWNLOAD, ...COPY, ...COPY, ...COPY, "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a backend that works in the background for two waits",
    answers: { CreateRawVolume: [working("finish")], CheckBackend: [working("finish")] },
    path: [...RAW, "BackendReady", ...WAIT, ...WAIT, ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a clone of an image in the background",
    answers: {
      ...AS_IMAGE,
      CloneImage: [working("bootable", { cloned: true })],
      CheckBackend: [done("bootable", { cloned: true })],
    },
    path: [...EXTRACT, "CloneImage", "ImageCloned", "BackendReady", ...WAIT, "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a clone of an image that the driver gives up in the background",
    answers: {
      ...AS_IMAGE,
      CloneImage: [working("bootable", { cloned: true })],
      CheckBackend: [working("copy_image"), done("copy_image")],
    },
    path: [
      ...EXTRACT,
      "CloneImage",
      "ImageCloned",
      "BackendReady",
      ...WAIT,
      ...WAIT,
      ...COPY,
      "HandleBootableVolume",
      ...FINISH,
    ],
    outcome: SUCCEEDED,
  },
  {
    name: "an image on a volume that is made in the background",
    answers: { ...AS_DOWNLOAD, CreateVolumeForImage: [working("copy_image")], CheckBackend: [done("copy_image")] },
    path: [...DOWNLOAD, ...WAIT, "CopyImageToVolume", "ImageCopied", "HandleBootableVolume", ...FINISH],
    outcome: SUCCEEDED,
  },
];

/** Where an error of a task leads that is not `final`; a final one leads to `error` from all of the first two. */
type Failing = "reschedule" | "error" | "continue" | "keep the first error" | "leave it to the nets";

/** How each task is reached, what follows its success, and where its errors lead. A new task needs a line here. */
const TASKS: Record<TaskFunctionName, { by: Scenario["answers"]; to: string[]; after: string[]; failing: Failing }> = {
  ExtractVolumeRef: {
    by: {},
    to: ["ExtractVolumeRef"],
    after: [...RAW.slice(1), "BackendReady", ...FINISH],
    failing: "reschedule",
  },
  ExtractVolumeSpec: {
    by: {},
    to: EXTRACT.slice(0, 2),
    after: [...RAW.slice(2), "BackendReady", ...FINISH],
    failing: "reschedule",
  },
  NotifyCreateStart: {
    by: {},
    to: EXTRACT.slice(0, 3),
    after: [...RAW.slice(3), "BackendReady", ...FINISH],
    failing: "continue",
  },
  CreateRawVolume: { by: {}, to: RAW, after: ["BackendReady", ...FINISH], failing: "reschedule" },
  CreateVolumeFromSnapshot: {
    by: { ExtractVolumeSpec: [specOf("snap")] },
    to: [...EXTRACT, "CreateVolumeFromSnapshot"],
    after: ["BackendReady", ...FINISH],
    failing: "reschedule",
  },
  CreateClonedVolume: {
    by: { ExtractVolumeSpec: [specOf("source_vol")] },
    to: [...EXTRACT, "CreateClonedVolume"],
    after: ["BackendReady", ...FINISH],
    failing: "reschedule",
  },
  CloneImage: {
    by: AS_IMAGE,
    to: [...EXTRACT, "CloneImage"],
    after: ["ImageCloned", "BackendReady", "HandleBootableVolume", ...FINISH],
    failing: "reschedule",
  },
  CreateVolumeForImage: {
    by: AS_DOWNLOAD,
    to: DOWNLOAD.slice(0, -1),
    after: ["BackendReady", "CopyImageToVolume", "ImageCopied", "HandleBootableVolume", ...FINISH],
    failing: "reschedule",
  },
  CheckBackend: {
    by: { CreateRawVolume: [working("finish")] },
    to: [...RAW, "BackendReady", "WaitForBackend", "CheckBackend"],
    after: ["BackendReady", ...FINISH],
    failing: "reschedule",
  },
  CopyImageToVolume: {
    by: AS_DOWNLOAD,
    to: [...DOWNLOAD, "CopyImageToVolume"],
    after: ["ImageCopied", "HandleBootableVolume", ...FINISH],
    failing: "error",
  },
  HandleBootableVolume: {
    by: AS_IMAGE,
    to: [...EXTRACT, "CloneImage", "ImageCloned", "BackendReady", "HandleBootableVolume"],
    after: FINISH,
    failing: "error",
  },
  CreateVolumeOnFinish: {
    by: {},
    to: [...RAW, "BackendReady", "CreateVolumeOnFinish"],
    after: ["VolumeCreated"],
    failing: "error",
  },
  RescheduleVolume: {
    by: { CreateRawVolume: throws("VolumeBackendAPIException") },
    to: [...RAW, "CanReschedule", "RescheduleVolume"],
    after: ["VolumeRescheduled"],
    failing: "keep the first error",
  },
  ErrorOutVolume: {
    by: { CreateRawVolume: throws("ImageTooBig") },
    to: [...RAW, "ErrorOutVolume"],
    after: ["CreatedAfterAll", "VolumeCreateFailed"],
    failing: "leave it to the nets",
  },
};

export const TASK_NAMES = Object.keys(TASKS) as TaskFunctionName[];

/** The targets of a task's errors, by the kind of the error. */
function routeOf(task: TaskFunctionName, error: string, isFinal: boolean): Pick<Scenario, "path" | "outcome"> {
  const { to, after, failing } = TASKS[task];
  const failed = { path: [...to, ...FAILED], outcome: failedBy(error) };
  const routes: Record<Failing, Pick<Scenario, "path" | "outcome">> = {
    reschedule: isFinal ? failed : { path: [...to, ...RESCHEDULED], outcome: SUCCEEDED },
    error: failed,
    continue: { path: [...to, ...after], outcome: SUCCEEDED },
    "keep the first error": { path: [...to, ...FAILED], outcome: failedBy("VolumeBackendAPIException") },
    "leave it to the nets": { path: [...to, "VolumeCreateFailed"], outcome: failedBy("ImageTooBig") },
  };
  const onlyTheNotification = task === "CreateVolumeOnFinish" && error === "NotificationNotSent";
  return routes[onlyTheNotification ? "continue" : failing];
}

/** The task's function fails so often by that error. */
export function failing(task: TaskFunctionName, error: string, times: number, isFinal: boolean): Scenario {
  return {
    name: `${task} fails by ${error}`,
    answers: { ...TASKS[task].by, [task]: throws(error, times) },
    calls: { [task]: times },
    ...routeOf(task, error, isFinal),
  };
}

/** The task's function fails, and answers when it is called again. */
function recovering(task: TaskFunctionName, error: string, times: number): Scenario {
  const { by, to, after } = TASKS[task];
  return {
    name: `${task} fails by ${error} ${times === 1 ? "once" : `${times} times`} and then answers`,
    answers: { ...by, [task]: throws(error, times) },
    calls: { [task]: times + 1 },
    path: [...to, ...after],
    outcome: task === "ErrorOutVolume" ? failedBy("ImageTooBig") : SUCCEEDED,
  };
}

const FAILURES: Scenario[] = TASK_NAMES.flatMap((task) => [
  recovering(task, "Lambda.TooManyRequestsException", 1),
  recovering(task, "States.Timeout", 2),
  failing(task, "ImageTooBig", 1, true),
  failing(task, "VolumeBackendAPIException", 1, false),
  failing(task, "Lambda.Unknown", 3, false),
]);

const SPECIAL: Scenario[] = [
  {
    name: "a request that must not be rescheduled",
    input: { allow_reschedule: false },
    answers: { CreateRawVolume: throws("VolumeDriverException") },
    path: [...RAW, "CanReschedule", ...FAILED],
    outcome: failedBy("VolumeDriverException"),
  },
  {
    name: "a create.end that cannot be sent",
    answers: { CreateVolumeOnFinish: throws("NotificationNotSent", 3) },
    calls: { CreateVolumeOnFinish: 3 },
    path: [...RAW, "BackendReady", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a create of which everything but its end worked",
    answers: {
      CreateVolumeOnFinish: throws("ProvisionedThroughputExceededException", 3),
      ErrorOutVolume: [returns({ outcome: "created" })],
    },
    calls: { CreateVolumeOnFinish: 3 },
    path: [...RAW, "BackendReady", "CreateVolumeOnFinish", "ErrorOutVolume", "CreatedAfterAll", "VolumeCreated"],
    outcome: SUCCEEDED,
  },
  {
    name: "a create.error that cannot be sent",
    answers: { CreateRawVolume: throws("ImageTooBig"), ErrorOutVolume: throws("NotificationNotSent", 3) },
    calls: { ErrorOutVolume: 3 },
    path: [...RAW, "ErrorOutVolume", "VolumeCreateFailed"],
    outcome: failedBy("ImageTooBig"),
  },
  {
    name: "a volume that another attempt took in the meantime",
    answers: { CreateRawVolume: throws("FenceLost"), ErrorOutVolume: [returns({ outcome: "left alone" })] },
    path: [...RAW, ...FAILED],
    outcome: failedBy("FenceLost"),
  },
  {
    name: "a backend that is not clear keeps the error that led there",
    answers: { CreateRawVolume: throws("Sandbox.Timedout", 3), RescheduleVolume: throws("BackendNotCleared") },
    calls: { CreateRawVolume: 3 },
    path: [...RAW, "CanReschedule", "RescheduleVolume", ...FAILED],
    outcome: { status: "FAILED", error: "Sandbox.Timedout", cause: MESSAGE },
  },
  {
    name: "a task whose time-out passes once",
    timeoutSeconds: { CreateVolumeFromSnapshot: 2 },
    answers: { ExtractVolumeSpec: [specOf("snap")], CreateVolumeFromSnapshot: sleeps(3) },
    calls: { CreateVolumeFromSnapshot: 2 },
    path: [...EXTRACT, "CreateVolumeFromSnapshot", "BackendReady", ...FINISH],
    outcome: SUCCEEDED,
  },
  {
    name: "a task whose time-out passes at each try",
    input: { allow_reschedule: false },
    timeoutSeconds: { CreateRawVolume: 2 },
    answers: { CreateRawVolume: sleeps(3, 3) },
    calls: { CreateRawVolume: 3 },
    path: [...RAW, "CanReschedule", ...FAILED],
    outcome: { status: "FAILED", error: "States.Timeout", cause: "" },
  },
  {
    name: "a function whose result is too large at each try",
    answers: { CreateRawVolume: overfills(3) },
    calls: { CreateRawVolume: 3 },
    path: [...RAW, ...RESCHEDULED],
    outcome: SUCCEEDED,
  },
  {
    name: "a function that is throttled six times",
    slow: true,
    answers: { CreateRawVolume: throws("Lambda.TooManyRequestsException", 6) },
    calls: { CreateRawVolume: 7 },
    path: [...RAW, "BackendReady", ...FINISH],
    outcome: SUCCEEDED,
  },
];

export const SCENARIOS: readonly Scenario[] = [...CREATES, ...FAILURES, ...SPECIAL];
