import { fenceOf } from "../../core/records.ts";
import { START } from "../../simulation/account.ts";
import {
  FIRST_HOST,
  OTHER_VOLUME,
  SNAPSHOT,
  SOURCE,
  THIRD_HOST,
  uuidOf,
  VOLUME,
} from "../../simulation/identifiers.ts";
import {
  addQueued,
  addSnapshot,
  addSource,
  arrange,
  castOf,
  countOn,
  driverOf,
  drivers,
  LOST,
  type Scenario,
  send,
} from "./scenario.ts";
import type { Account } from "../../simulation/account.ts";

/** One bad backend or record among good ones: only its own work may suffer, and an alarm must report it. */

/** More than the sweeps take on, ten at a time, before the first ones are due again. */
const HANGING_REMOVALS = 49;

/** Removals on the first backend that have begun and have to continue. */
function addRemovals(account: Account): void {
  for (let number = 100; number < 100 + HANGING_REMOVALS; number += 1) {
    const id = uuidOf(number);
    const line = { host: FIRST_HOST, execution: fenceOf(id, 1), started_at: START, ended_at: START };
    addQueued(account, {
      ...LOST,
      id,
      size: 1,
      status: "deleting",
      fence: fenceOf(id, 1),
      attempts: { 1: { ...line, outcome: "created" } },
      deadline: START,
      delete_requested_at: START,
    });
    driverOf(account, FIRST_HOST).volumes.set(id, { from: "nothing" });
    countOn(account, FIRST_HOST, 1);
  }
}

export const BACKENDS: readonly Scenario[] = [
  {
    name: "every backend is down",
    end: "error",
    alarms: ["BackendsNotReported", "CreatesNotScheduled"],
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.isInitialized = false));
      // When the last reports are old.
      account.time.after(600_000, () => void send(account));
      return [VOLUME];
    },
  },
  {
    name: "a backend hangs while volumes are removed from it, and another one's end is not told",
    mostCells: 400,
    makes: "an empty volume",
    end: "available",
    alarms: ["BackendsNotReported", "NetsFail"],
    faults: [{ visit: "CreateVolumeOnFinish#1", call: "notifier.publish#1", fault: "not sent, each time" }],
    begin: (account) => {
      arrange(account);
      const first = driverOf(account, FIRST_HOST);
      first.hangs = true;
      // No volume is placed there.
      account.stores.backends.records.change(FIRST_HOST, { disabled: true });
      addRemovals(account);
      account.time.after(1_000_000, () => (first.hangs = false));
      return send(account);
    },
  },
  {
    name: "no driver can be made of a backend's options",
    makes: "an empty volume",
    end: "available",
    alarms: ["BackendsNotReported"],
    begin: (account) => {
      arrange(account);
      driverOf(account, FIRST_HOST).isUnbuildable = true;
      // Until the alarm has had its two periods.
      account.time.after(700_000, () => {});
      return send(account);
    },
  },
  {
    name: "in a batch with a volume whose record cannot be read",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      addQueued(account, { id: OTHER_VOLUME, deadline: START });
      account.stores.volumes.unreadable.add(OTHER_VOLUME);
      const other = { volume_id: OTHER_VOLUME, request_spec: { volume_id: OTHER_VOLUME, volume_properties: {} } };
      account.queues.sendTogether([castOf(other), castOf()]);
      return [VOLUME];
    },
  },
  {
    name: "audited beside a volume and a snapshot whose records cannot be read",
    mostCells: 200,
    makes: "an empty volume",
    end: "available",
    alarms: ["UnreadableRecords"],
    begin: (account) => {
      arrange(account);
      addSource(account);
      addSnapshot(account);
      const { volumes, snapshots } = account.stores;
      volumes.unreadable.add(SOURCE);
      snapshots.unreadable.add(SNAPSHOT);
      driverOf(account, FIRST_HOST).volumes.set(uuidOf(9), { from: "nothing" });
      account.time.after(4_000_000, () => account.request("AuditBackends", { reap: true, older_than_hours: 1 }));
      return send(account);
    },
  },
  {
    name: "beside a backend whose record cannot be read",
    mostCells: 200,
    makes: "an empty volume",
    end: "available",
    firstTickWithinSeconds: 600,
    alarms: ["UnreadableRecords"],
    begin: (account) => {
      arrange(account);
      account.stores.addBackend(THIRD_HOST, START);
      account.stores.backends.unreadable.add(THIRD_HOST);
      // Until the schedule of the audit has come round twice: nothing else looks at such a record.
      account.time.after(4_300_000, () => {});
      return send(account);
    },
  },
  {
    name: "a lost message beside a record that cannot be read",
    end: "error",
    faults: [{ visit: "ScheduleVolume#1", call: null, fault: "never delivered" }],
    begin: (account) => {
      arrange(account);
      addQueued(account, { id: OTHER_VOLUME, deadline: START });
      account.stores.volumes.unreadable.add(OTHER_VOLUME);
      return send(account);
    },
  },
];
