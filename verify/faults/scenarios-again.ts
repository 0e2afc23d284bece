import { CINDER_SETTINGS } from "../../core/scheduling/settings.ts";
import { redriveDeadLetter } from "../../core/tasks/redrive-dead-letter.ts";
import type { Account } from "./account.ts";
import type { Fault } from "./faults.ts";
import { FIRST_HOST, IMAGE, SOURCE } from "./identifiers.ts";
import { addImage, addSource, arrange, driverOf, failing, type Scenario, send } from "./scenario.ts";

/** With Cinder's own filters the backend that failed and still weighs best is chosen again. */
function arrangeAgain(account: Account, columns: Parameters<typeof arrange>[1] = {}): void {
  account.stores.schedulerSettings = CINDER_SETTINGS;
  arrange(account, columns);
}

/** The scheduling after the first attempt cannot claim, however often it is tried: its message becomes a dead letter. */
const UNSCHEDULABLE: Fault = { visit: "ScheduleVolume#2", call: "backends.claim#1", fault: "unknown error, each time" };

/** When an operator redrives: the dead letter is kept by then, and its volume in error. */
const REDRIVE_AFTER_MS = 3_600_000;

/** Creates whose backend is asked by more than one attempt. What an earlier one does late must not reach a later one's. */
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
    name: "redriven after an uncertain failure",
    makes: "an empty volume",
    end: "available",
    faults: [failing("answer lost, each time"), UNSCHEDULABLE],
    begin: (account) => {
      arrangeAgain(account);
      account.time.after(REDRIVE_AFTER_MS, () => void redriveAll(account));
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
      account.time.after(REDRIVE_AFTER_MS, () => void redriveAll(account));
      return send(account);
    },
  },
];

/** As `cinderless redrive` does: from outside any function, so no fault strikes it. A letter that cannot be sent again stays. */
async function redriveAll(account: Account): Promise<void> {
  const { backends, deadLetters, volumes } = account.stores;
  const queue = {
    send: async (message: Record<string, unknown>) => account.queues.send(JSON.stringify(message)),
  };
  const clock = { now: () => account.now() };
  for (const letter of deadLetters.records.values()) {
    if (letter.redriven_at === null) {
      account.wasRedriven = true;
      await redriveDeadLetter({ backends, clock, deadLetters, queue, volumes }, letter).then(
        // It was decided until now, and the bound counts from here.
        ({ volumeId }) => void account.watch.lives.get(volumeId)?.progressMs.push(account.time.nowMs),
        () => {},
      );
    }
  }
}
