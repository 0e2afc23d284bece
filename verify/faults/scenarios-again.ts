import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { CINDER_SETTINGS } from "../../core/scheduling/settings.ts";
import { redriveDeadLetter } from "../../core/dead-letters/redrive-dead-letter.ts";
import { retryVolume } from "../../core/dead-letters/retry-volume.ts";
import { anImage } from "../../test/support/builders.ts";
import { queuedVolume } from "../../test/support/records.ts";
import type { Account } from "../../simulation/account.ts";
import type { Fault } from "../../simulation/faults.ts";
import { FIRST_HOST, IMAGE, SOURCE, VOLUME } from "../../simulation/identifiers.ts";
import { addImage, addSource, arrange, castOf, driverOf, drivers, failing, type Scenario, send } from "./scenario.ts";

/** With Cinder's own filters the backend that failed and still weighs best is chosen again. */
function arrangeAgain(account: Account, columns: Parameters<typeof arrange>[1] = {}): void {
  account.stores.schedulerSettings = CINDER_SETTINGS;
  arrange(account, columns);
}

/** The scheduling after the first attempt cannot claim, however often it is tried: its message becomes a dead letter. */
const UNSCHEDULABLE: Fault = { visit: "ScheduleVolume#2", call: "backends.claim#1", fault: "unknown error, each time" };

/** How often an operator looks at the volume, and how much later the redrive follows: what comes twice or late may come before that, or after. */
const LOOK_MS = 60_000;
const ACT_AFTER_MS = 300_000;

/** When an operator redrives who does not look: the dead letter is kept by then, and its volume in error. */
const REDRIVE_AFTER_MS = 3_600_000;

/** An operator acts once the volume has ended in error. */
function onceInError(account: Account, act: () => Promise<void>): void {
  const look = (): void => {
    const volume = account.stores.volumes.records.get(VOLUME);
    if (volume?.status === "error" && volume.deadline === null) {
      account.time.after(ACT_AFTER_MS, () => void act());
    } else {
      account.time.after(LOOK_MS, look, true);
    }
  };
  account.time.after(LOOK_MS, look, true);
}

/** Creates whose backend is asked by more than one attempt. Late effects of an earlier one must not affect a later one. */
export const AGAIN: readonly Scenario[] = [
  {
    name: "refused, and the same backend chosen again",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "available",
    faults: [failing("reschedulable error")],
    begin: (account) => {
      arrangeAgain(account);
      return send(account);
    },
  },
  {
    // The second attempt outlives everything of the first one that comes twice or late.
    name: "refused, and the same backend chosen again, which then takes its time",
    makes: "an empty volume",
    withinSeconds: 600,
    end: "available",
    faults: [failing("reschedulable error")],
    begin: (account) => {
      arrangeAgain(account);
      const first = driverOf(account, FIRST_HOST);
      first.turns = 3;
      first.waitSeconds = 240;
      return send(account);
    },
  },
  {
    name: "done, then refused, and the same backend chosen again",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "available",
    faults: [failing("done, then refused")],
    begin: (account) => {
      arrangeAgain(account);
      return send(account);
    },
  },
  {
    name: "late at every try, and the same backend chosen again",
    makes: "an empty volume",
    withinSeconds: 60,
    end: "available",
    faults: [failing("effect late, each time")],
    begin: (account) => {
      arrangeAgain(account);
      return send(account);
    },
  },
  {
    name: "late at every try, then on another backend",
    makes: "an empty volume",
    withinSeconds: 60,
    end: "available",
    faults: [failing("effect late, each time")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "clone, late at every try, and the same backend chosen again",
    makes: "a clone",
    withinSeconds: 60,
    end: "available",
    faults: [{ visit: "CreateClonedVolume#1", call: "driver.createClonedVolume#1", fault: "effect late, each time" }],
    begin: (account) => {
      arrangeAgain(account, { source_volid: SOURCE });
      addSource(account);
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "image, late at every try, and the same backend chosen again",
    makes: "a volume of the image",
    withinSeconds: 60,
    end: "available",
    faults: [failing("effect late, each time", "CreateVolumeForImage#1")],
    begin: (account) => {
      arrangeAgain(account);
      addImage(account);
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "suspected on a backend that is chosen again",
    makes: "an empty volume",
    end: "available",
    // The backend refuses what it has made, and cannot be asked until the attempt is over.
    faults: [
      failing("done, then refused"),
      { visit: "RescheduleVolume#1", call: "driver.closeAttempt#1", fault: "reschedulable error" },
    ],
    begin: (account) => {
      arrangeAgain(account);
      return send(account);
    },
  },
  {
    name: "suspected twice on a backend that is chosen again",
    makes: "an empty volume",
    end: "available",
    faults: [1, 2].flatMap((attempt) => [
      failing("done, then refused", `CreateRawVolume#${attempt}`),
      { visit: `RescheduleVolume#${attempt}`, call: "driver.closeAttempt#1", fault: "reschedulable error" } as const,
    ]),
    begin: (account) => {
      arrangeAgain(account);
      return send(account);
    },
  },
  {
    name: "rescheduled, its first message becomes a dead letter late, and its second is lost",
    makes: "an empty volume",
    end: "error",
    // Its own run shows everything: the letter comes while the second attempt waits for its deadline.
    mostCells: 0,
    faults: [failing("reschedulable error"), { visit: "ScheduleVolume#2", call: null, fault: "never delivered" }],
    begin: (account) => {
      arrangeAgain(account);
      account.time.after(60_000, () => account.queues.sendToDeadLetters(castOf(), "it was received too often"));
      return send(account);
    },
  },
  {
    name: "redriven after an uncertain failure",
    makes: "an empty volume",
    end: "available",
    faults: [failing("answer lost, each time"), UNSCHEDULABLE],
    begin: (account) => {
      arrangeAgain(account);
      onceInError(account, () => redriveAll(account));
      return send(account);
    },
  },
  {
    name: "tried again after an execution that could not be started",
    makes: "an empty volume",
    end: "available",
    faults: [{ visit: "ScheduleVolume#1", call: "workflow.start#1", fault: "unknown error, each time" }],
    begin: (account) => {
      arrangeAgain(account, { request: { request_id: "req-1", roles: ["member"] } });
      onceInError(account, () => retry(account));
      return send(account);
    },
  },
  {
    name: "redriven after effects that came late",
    makes: "an empty volume",
    end: "available",
    faults: [failing("effect late, each time"), UNSCHEDULABLE],
    begin: (account) => {
      arrangeAgain(account);
      driverOf(account, FIRST_HOST).turns = 2;
      onceInError(account, () => redriveAll(account));
      return send(account);
    },
  },
  {
    name: "redriven, and every step of the first attempt comes late",
    makes: "an empty volume",
    end: "available",
    // Its own run shows everything, and each of its runs is long.
    mostCells: 0,
    faults: [failing("answer lost, each time"), UNSCHEDULABLE],
    begin: (account) => {
      arrangeAgain(account);
      for (const driver of drivers(account)) {
        driver.turns = 4;
        driver.waitSeconds = 300;
      }
      account.time.after(REDRIVE_AFTER_MS, () => void redriveAll(account));
      // While the redriven attempt creates, between its turns, and when the volume is somebody's.
      for (const lateMs of [5_000, 450_000, 1_500_000]) {
        account.time.after(REDRIVE_AFTER_MS + lateMs, () => deliverLate(account, fenceOf(VOLUME, 1)));
      }
      return send(account);
    },
  },
];

/** Delivers to every function of the workflow once more what an execution that has ended had for it, or might have had. */
function deliverLate({ executions, stores }: Account, fence: string): void {
  const execution = executions.byName.get(fence);
  // One that still owns the record was not overtaken: it has these steps before it.
  if (execution === undefined || stores.volumes.records.get(VOLUME)?.fence === fence) {
    return;
  }
  const status = { status: "creating" };
  const volume = { volume_id: VOLUME, volume_size: 2, volume_name: VOLUME };
  executions.deliverLate(execution, {
    ...execution.input,
    volume_ref: { ...queuedVolume({ id: VOLUME, size: 2 }), ...status },
    volume_spec: {
      ...volume,
      ...status,
      type: "image",
      image_id: IMAGE,
      image_href: IMAGE,
      image_meta: anImage({ id: IMAGE }),
    },
    creation: { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null },
    failure: { Error: "VolumeBackendAPIException", Cause: "refused" },
  });
}

/** The repositories and the queue as a command has them: from outside any function, so no fault strikes them. */
function outside(account: Account) {
  const { backends, deadLetters, volumes, volumeTypes } = account.stores;
  return {
    backends,
    deadLetters,
    volumeTypes,
    clock: { now: () => account.now() },
    queue: { send: async (message: Record<string, unknown>) => account.queues.send(JSON.stringify(message)) },
    volumes: {
      get: volumes.get.bind(volumes),
      requeue: (...parameters: Parameters<typeof volumes.requeue>) =>
        account.watch.around("volumes.requeue", () => volumes.requeue(...parameters), []) as Promise<VolumeRecord>,
    },
  };
}

/** Marks progress of a volume that was at rest until now: the bound counts from here. */
function begunAgain(account: Account, volumeId: string): void {
  account.wasRedriven = true;
  account.watch.lives.get(volumeId)?.progressMs.push(account.time.nowMs);
}

/** As `cinderless retry` does. A volume that cannot be tried again stays as it is. */
async function retry(account: Account): Promise<void> {
  await retryVolume(outside(account), VOLUME).then(
    ({ volumeId }) => begunAgain(account, volumeId),
    () => {},
  );
}

/** As `cinderless redrive` does. A letter that cannot be sent again stays. */
async function redriveAll(account: Account): Promise<void> {
  for (const letter of account.stores.deadLetters.records.values()) {
    if (letter.redriven_at === null) {
      account.wasRedriven = true;
      await redriveDeadLetter(outside(account), letter).then(
        ({ volumeId }) => begunAgain(account, volumeId),
        () => {},
      );
    }
  }
}
