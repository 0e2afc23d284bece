import type { FunctionName } from "../../core/settings/functions.ts";
import { LONG_FUNCTION_TIMEOUT_SECONDS } from "../../core/settings/time-bounds.ts";
import { invocation, sourceSteps, type Step, workOf } from "./work.ts";

/** The creates to estimate. */
export type Wish = {
  volumes: number;
  /** GiB of image data for each volume; 0 for raw volumes. */
  imageGib: number;
  /** Speed at which a function copies and verifies, in MiB a second. */
  copyMibPerSecond: number;
};

/** Approximate billed time of a function with a few calls; a volume's receipt has the measured time. */
const SHORT_MS = 60;

/** Seconds of copying between two checkpoints, each one write of the record and of its index. */
const CHECKPOINT_SECONDS = 20;

/** Seconds of its time that a turn of the copy reserves. */
const RESERVED_SECONDS = 60;

const START: readonly FunctionName[] = ["ExtractVolumeRef", "ExtractVolumeSpec", "NotifyCreateStart"];
const RAW: readonly FunctionName[] = [...START, "CreateRawVolume", "CreateVolumeOnFinish"];
const IMAGE_BEFORE_THE_COPY: readonly FunctionName[] = [...START, "CloneImage", "CreateVolumeForImage"];
const IMAGE_AFTER_THE_COPY: readonly FunctionName[] = ["HandleBootableVolume", "CreateVolumeOnFinish"];

/** States that are not tasks: the choices, and the end. */
const CHOICES_OF_A_RAW_CREATE = 3;
const CHOICES_OF_AN_IMAGE_CREATE = 4;

/** The steps of one create of that kind, and the assumptions about them. Everything except the durations is counted. */
export function estimate(wish: Wish): { steps: Step[]; assumptions: string[] } {
  const short = (name: FunctionName, transitions: number): Step => ({
    step: name,
    times: wish.volumes,
    work: { ...invocation(name, SHORT_MS), state_transition: transitions },
  });
  const schedule = short("ScheduleVolume", 0);
  // The client sends the message.
  const send: Step = { step: "request", times: wish.volumes, work: workOf({ sqs_request: 1 }) };
  const choices = (count: number): Step => ({
    step: "choices and end",
    times: wish.volumes,
    work: workOf({ state_transition: count }),
  });
  const assumptions = [`${SHORT_MS} ms for a function of a few calls`];
  if (wish.imageGib === 0) {
    const tasks = RAW.map((name) => short(name, 1));
    return { steps: [send, schedule, ...tasks, choices(CHOICES_OF_A_RAW_CREATE)], assumptions };
  }
  assumptions.push(
    `${wish.copyMibPerSecond} MiB/s of copying and verifying; all of the image is data; it is in the bucket`,
  );
  return {
    steps: [
      send,
      schedule,
      ...IMAGE_BEFORE_THE_COPY.map((name) => short(name, 1)),
      ...sourceSteps(IMAGE_BEFORE_THE_COPY, wish.volumes),
      ...copySteps(wish),
      ...IMAGE_AFTER_THE_COPY.map((name) => short(name, 1)),
      choices(CHOICES_OF_AN_IMAGE_CREATE),
    ],
    assumptions,
  };
}

/** The number of turns that the function's time requires; each is a task and the choice whether the copy is done. */
function copySteps({ volumes, imageGib, copyMibPerSecond }: Wish): Step[] {
  const seconds = (imageGib * 1024) / copyMibPerSecond;
  const turns = Math.ceil(seconds / (LONG_FUNCTION_TIMEOUT_SECONDS - RESERVED_SECONDS));
  const turn = invocation("CopyImageToVolume", (seconds / turns) * 1000);
  const checkpoints = Math.floor(seconds / CHECKPOINT_SECONDS);
  return [
    { step: "CopyImageToVolume", times: volumes * turns, work: { ...turn, state_transition: 2 } },
    {
      step: "checkpoints and data",
      times: volumes,
      work: workOf({ dynamodb_write_unit: checkpoints * 3, efs_written_gib: imageGib }),
    },
  ];
}
