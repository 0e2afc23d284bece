import { fenceOf } from "../../core/records.ts";
import { FIRST_HOST, VOLUME, OTHER_VOLUME, IMAGE, SECRET } from "../../simulation/identifiers.ts";
import { arrange, addQueued, send, addImage, driverOf, drivers, failing, type Scenario } from "./scenario.ts";

/** Creates that fail by themselves, and what the retries and nets make of them. */
export const FAILURES: readonly Scenario[] = [
  {
    name: "rescheduled",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "available",
    begin: (account) => {
      arrange(account);
      driverOf(account, FIRST_HOST).refuses = true;
      return send(account);
    },
  },
  {
    name: "beside one whose status somebody else has set",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      addQueued(account, { id: OTHER_VOLUME, status: "error", fence: fenceOf(OTHER_VOLUME, 1) });
      return send(account);
    },
  },
  {
    name: "rescheduled after an uncertain failure",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "available",
    faults: [failing("answer lost, each time")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "image, rescheduled",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      driverOf(account, FIRST_HOST).refuses = true;
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "refused by every backend",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "error",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.refuses = true));
      return send(account);
    },
  },
  {
    name: "no backend is large enough",
    end: "error",
    begin: (account) => {
      arrange(account, { size: 1000 });
      return send(account);
    },
  },
  {
    name: "no driver is initialized",
    makes: "an empty volume",
    end: "error",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.isInitialized = false));
      return send(account);
    },
  },
  {
    name: "aborted while the backend creates",
    makes: "an empty volume",
    alarms: ["ExecutionsBroken"],
    withinSeconds: 30,
    end: "error",
    faults: [failing("aborted")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "timed out while the backend creates",
    makes: "an empty volume",
    alarms: ["ExecutionsBroken"],
    withinSeconds: 30,
    end: "error",
    faults: [failing("timed out")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "its message fails until it is a dead letter",
    makes: "an empty volume",
    // Five receives, 180 s apart. The deadline is later.
    withinSeconds: 1_000,
    end: "error",
    faults: [{ visit: "ScheduleVolume#1", call: "backends.claim#1", fault: "unknown error, each time" }],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "rescheduled from a backend that does not delete what it made",
    makes: "an empty volume",
    end: "error",
    faults: [failing("answer lost, each time")],
    begin: (account) => {
      arrange(account);
      const driver = driverOf(account, FIRST_HOST);
      driver.keepsDeleted = true;
      // A deletion that a cell requests needs its confirmation to end.
      account.time.after(900_000, () => (driver.keepsDeleted = false));
      return send(account);
    },
  },
  {
    name: "aborted, and the rule does not hear of it",
    makes: "an empty volume",
    end: "error",
    faults: [failing("aborted, event lost")],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "the answer of the finish travels no more",
    makes: "an empty volume",
    end: "available",
    faults: [{ visit: "CreateVolumeOnFinish#1", call: "volumes.markAvailable#1", fault: "aborted, event lost" }],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "the message is lost",
    makes: "an empty volume",
    end: "error",
    faults: [{ visit: "ScheduleVolume#1", call: null, fault: "never delivered" }],
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "the message cannot be read",
    withinSeconds: 30,
    end: "error",
    begin: (account) => {
      arrange(account);
      account.queues.sendTogether([JSON.stringify({ volume_id: VOLUME, context: {}, snapshot_id: "not a UUID" })]);
      return [VOLUME];
    },
  },
  {
    name: "the message is a token and nothing else",
    end: "gone",
    mostCells: 0,
    begin: (account) => {
      arrange(account);
      account.stores.volumes.records.clear();
      account.queues.sendTogether([SECRET]);
      return [VOLUME];
    },
  },
  {
    name: "the message names no volume",
    end: "gone",
    begin: (account) => {
      arrange(account);
      account.stores.volumes.records.clear();
      return send(account);
    },
  },
];
