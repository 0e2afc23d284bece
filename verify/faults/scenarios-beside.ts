import { fenceOf, type VolumeRecord } from "../../core/records.ts";
import { beginningSnapshot, plainVolumeType, queuedVolume } from "../../test/support/records.ts";
import type { Account } from "../../simulation/account.ts";
import {
  FIRST_HOST,
  SECOND_HOST,
  uuidOf,
  VOLUME,
  SOURCE,
  SNAPSHOT,
  IMAGE,
  TYPE,
} from "../../simulation/identifiers.ts";
import {
  CONTEXT,
  arrange,
  send,
  LOST,
  STALE_LOCK,
  addSource,
  addSnapshot,
  addImage,
  driverOf,
  drivers,
  truncate,
  type Scenario,
  startScheduled,
} from "./scenario.ts";

/** Sources that cannot be copied, as the request's columns have them. Their own runs show everything. */
const SOURCES_REFUSED: readonly [name: string, columns: Partial<VolumeRecord>, add: (account: Account) => void][] = [
  ["image whose min_disk is larger than the volume", {}, (account) => addImage(account, { min_disk: 3 })],
  [
    "image whose disk is larger than the volume by a byte",
    {},
    (account) => addImage(account, { disk_format: "qcow2", virtual_size: 2 * 1024 ** 3 + 1 }),
  ],
  ["image that is still being uploaded", {}, (account) => addImage(account, { status: "saving" })],
  [
    "clone of a volume that is in error",
    { source_volid: SOURCE },
    (account) => addSource(account, { status: "error", deadline: null }),
  ],
  [
    "copy of a snapshot that is in error",
    { snapshot_id: SNAPSHOT },
    (account) => {
      addSource(account);
      addSnapshot(account, { status: "error" });
    },
  ],
];

/** Access that a project must not get, and actions of users during a create. */
export const OTHERS: readonly Scenario[] = [
  {
    name: "clone of another project's volume",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account, { project_id: "another project" });
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "snapshot of another project",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account, { project_id: "another project" });
      addSnapshot(account, { project_id: "another project" });
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "clone of a volume that another project has by the time of the spec",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account, { project_id: "another project" });
      return startScheduled(account, { source_volid: SOURCE });
    },
  },
  {
    name: "copy of a snapshot that another project has by the time of the spec",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account, { project_id: "another project" });
      addSnapshot(account, { project_id: "another project" });
      return startScheduled(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "clone of another project's volume by a context that names no rights",
    end: "error",
    never: ["available"],
    mostCells: 0,
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account, { project_id: "another project" });
      const { is_admin: _isAdmin, roles: _roles, ...context } = CONTEXT;
      return send(account, { source_volid: SOURCE, context });
    },
  },
  {
    name: "clone of a volume by a caller without a project by the time of the spec",
    end: "error",
    never: ["available"],
    mostCells: 0,
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account);
      return startScheduled(account, { source_volid: SOURCE, context: { ...CONTEXT, project_id: null } });
    },
  },
  {
    name: "another project's private image",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account);
      addImage(account, { owner: "another project", visibility: "private" });
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "clone of a volume that its record does not name",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account);
      addSource(account);
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "image that is larger than the volume by a byte",
    end: "error",
    never: ["available"],
    mostCells: 0,
    begin: (account) => {
      arrange(account);
      addImage(account, { size: 2 * 1024 ** 3 + 1 });
      return send(account, { image_id: IMAGE });
    },
  },
  ...SOURCES_REFUSED.map(([name, columns, addTheSource]) => ({
    name,
    end: "error" as const,
    mostCells: 0,
    begin: (account: Account) => {
      arrange(account, columns);
      addTheSource(account);
      return send(account, Object.keys(columns).length === 0 ? { image_id: IMAGE } : columns);
    },
  })),
  {
    name: "snapshot of a larger volume",
    end: "error",
    never: ["available"],
    mostCells: 0,
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account);
      addSnapshot(account, { volume_size: 3 });
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "clone of a volume that lost bytes",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account);
      truncate(account, SOURCE);
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "volume from a snapshot that lost bytes",
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account);
      addSnapshot(account);
      truncate(account, SNAPSHOT);
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "deleted when available",
    makes: "an empty volume",
    end: "gone",
    begin: (account) => {
      arrange(account);
      account.time.after(60_000, () => account.request("DeleteVolume", { volume_id: VOLUME }));
      return send(account);
    },
  },
  {
    name: "deleted while its backend creates",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "gone",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.turns = 6));
      account.time.after(6000, () => account.request("DeleteVolume", { volume_id: VOLUME }));
      return send(account);
    },
  },
  {
    name: "deleted before it is scheduled",
    makes: "an empty volume",
    end: "gone",
    faults: [{ visit: "ScheduleVolume#1", call: "volumes.assignHost#1", fault: "unknown error" }],
    begin: (account) => {
      arrange(account);
      account.time.after(30_000, () => account.request("DeleteVolume", { volume_id: VOLUME }));
      return send(account);
    },
  },
  {
    name: "source deleted during the clone",
    makes: "a clone",
    end: "available",
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account);
      drivers(account).forEach((driver) => (driver.turns = 5));
      account.time.after(6000, () => account.request("DeleteVolume", { volume_id: SOURCE }));
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "snapshot deleted while it is read",
    makes: "a copy of the snapshot",
    end: "available",
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account);
      addSnapshot(account);
      drivers(account).forEach((driver) => (driver.turns = 5));
      account.time.after(6000, () => account.request("DeleteSnapshot", { snapshot_id: SNAPSHOT }));
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "snapshot with a stale lock deleted",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      addSource(account);
      addSnapshot(account);
      account.stores.locks.arrange({ what: "snapshot", id: SNAPSHOT }, { [uuidOf(12)]: STALE_LOCK });
      account.time.after(60_000, () => account.request("DeleteSnapshot", { snapshot_id: SNAPSHOT }));
      return send(account);
    },
  },
  {
    name: "audited",
    makes: "an empty volume",
    end: "available",
    firstTickWithinSeconds: 600,
    begin: (account) => {
      arrange(account);
      addSource(account);
      addSnapshot(account);
      driverOf(account, SECOND_HOST).volumes.set(uuidOf(9), { from: "nothing" });
      driverOf(account, SECOND_HOST).snapshots.add(uuidOf(8));
      // Until the schedule of the audit has come round.
      account.time.after(700_000, () => {});
      return send(account);
    },
  },
  {
    name: "a source and a snapshot with locks of a create that has gone",
    mostCells: 200,
    makes: "an empty volume",
    end: "available",
    firstTickWithinSeconds: 600,
    begin: (account) => {
      arrange(account);
      const locks = { [uuidOf(12)]: fenceOf(uuidOf(12), 1) };
      addSource(account, { locks: { ...locks } });
      addSnapshot(account, { locks: { ...locks } });
      account.stores.locks.arrange({ what: "volume", id: SOURCE }, { [uuidOf(13)]: fenceOf(uuidOf(13), 1) });
      // Until the schedule of the audit has come round twice: nothing else removes such a lock.
      account.time.after(4_300_000, () => {});
      return send(account);
    },
  },
  {
    name: "audited, and what nobody claims is reaped",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      addSource(account);
      addSnapshot(account);
      const second = driverOf(account, SECOND_HOST);
      second.volumes.set(uuidOf(9), { from: "nothing" });
      second.snapshots.add(uuidOf(8));
      // Two records of what a backend does not have.
      const { volumes, snapshots } = account.stores;
      volumes.records.set(uuidOf(10), queuedVolume({ ...LOST, id: uuidOf(10), size: 0 }));
      snapshots.records.set(uuidOf(11), beginningSnapshot({ id: uuidOf(11), status: "available", host: FIRST_HOST }));
      account.time.after(4_000_000, () => account.request("AuditBackends", { reap: true, older_than_hours: 1 }));
      return send(account);
    },
  },
  {
    name: "extended",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      const keys = { volume_id: VOLUME, extension_id: uuidOf(12), new_size: 3 };
      account.time.after(60_000, () => account.request("ExtendVolume", keys));
      return send(account);
    },
  },
  {
    name: "extended, of a type",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account, { volume_type_id: TYPE });
      account.stores.volumeTypes.records.set(TYPE, plainVolumeType({ id: TYPE, name: "plain" }));
      const keys = { volume_id: VOLUME, extension_id: uuidOf(12), new_size: 3 };
      account.time.after(60_000, () => account.request("ExtendVolume", keys));
      return send(account);
    },
  },
  {
    name: "snapshot taken and deleted",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      const keys = { snapshot_id: SNAPSHOT, volume_id: VOLUME, project_id: "project", user_id: "user" };
      account.time.after(60_000, () => account.request("CreateSnapshot", keys));
      account.time.after(300_000, () => account.request("DeleteSnapshot", { snapshot_id: SNAPSHOT }));
      return send(account);
    },
  },
];
