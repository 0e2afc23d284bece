// @ts-nocheck
import type { FunctionName } from "../../core/functions.ts";
import { LONG_FUNCTION_TIMEOUT_SECONDS } from "../../core/time-bounds.ts";
import { invocation, sourceSteps, type Step, workOf } from "./work.ts";

/** What is to be created. */
export type Wish = {
  volumes: number;
  /** GiB of image data for each volume; 0 for raw volumes. */
  imageGib: number;
  /** How fast a function copies and verifies, in MiB a second. */
  copyMibPerSecond: number;
};

/** A function of a few calls is billed for about that long; a receipt of a volume has what was measured. */
const SHORT_MS = 60;

/** Seconds of copying between two checkpoints, each one write of the record and of its index. */
const CHECKPOINT_SECONDS = 20;

/** Seconds that a turn of the copy leaves of its time. */
const RESERVED_SECONDS = 60;

const START: readonly FunctionName[] = ["ExtractVolumeRef", "ExtractVolumeSpec", "NotifyCreateStart"];
const RAW: readonly FunctionName[] = [...START, "CreateRawVolume", "CreateVolumeOnFinish"];
const IMAGE_BEFORE_THE_COPY: readonly FunctionName[] = [...START, "CloneImage", "CreateVolumeForImage"];
const IMAGE_AFTER_THE_COPY: readonly FunctionName[] = ["HandleBootableVolume", "CreateVolumeOnFinish"];

/** States that are no tasks: the choices on the way, and the end. */
const CHOICES_OF_A_RAW_CREATE = 3;
const CHOICES_OF_AN_IMAGE_CREATE = 4;

/** The steps of one create of that kind, and what was assumed about them. Everything but the durations is counted. */
export function estimate(wish: Wish): { steps: Step[]; assumptions: string[] } {
  const short = (name: FunctionName, transitions: number): Step => ({
    step: name,
    times: wish.volumes,
    work: { ...invocation(name, SHORT_MS), state_transition: transitions },
  });
  const schedule = short("ScheduleVolume", 0);
  // The message is sent by whoever asks for the volume.
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

/** As many turns as the function's time asks for; each is a task and the choice whether the copy is done. */
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
