import { isDeepStrictEqual } from "node:util";
import { FUNCTIONS } from "../../core/settings/functions.ts";
import {
  attemptOfFence,
  type Fault,
  fenceOf,
  isFlowStatus,
  SNAPSHOT_LOCK,
  STATUSES_CREATED,
  type VolumeRecord,
  type VolumeStatus,
} from "../../core/records.ts";
import {
  OPEN_CLAIM_BOUND_SECONDS,
  PHASE_BOUND_SECONDS,
  SWEEP_INTERVAL_SECONDS,
} from "../../core/settings/time-bounds.ts";
import type { MadeFrom } from "../../simulation/driver.ts";
import { projectProblems, type ProjectsAtRest } from "../../test/support/project-problems.ts";
import type { Account } from "../../simulation/account.ts";
import { EXPECTED } from "./expected.ts";
import { checkLedger } from "./invariants-ledger.ts";
import { SNAPSHOT } from "../../simulation/identifiers.ts";
import { type End, type Scenario, STALE_LOCK } from "./scenario.ts";

/** The invariants of the architecture by their numbers, checked when everything has come to rest. */
export const INVARIANTS: Readonly<Record<number, string>> = {
  1: "never stuck: available, error or gone within the published bound",
  2: "one owner: no write by an execution that does not hold the fence",
  3: "one backend volume per volume",
  4: "no silent orphan: what may be left on a backend is named in the ledger; capacity adds up",
  5: "the ledger lists every attempt, the final fault names them all",
  6: "create.end after available, at least once and within its bound, under one message_id",
  7: "nothing is lost: an undeliverable message is in the dead letters, its volume decided",
  8: "the bytes are right: content, bootable flag and image metadata are the undisturbed run's",
  9: "no secret in a message, a state document or a log",
  10: "a project gets nothing of another project's",
  11: "whatever needs a person has raised something that an alarm watches",
  12: "the quotas and lists of projects agree with the records",
};

/** The longest that a volume may be undecided after its last progress, in seconds. */
export const UNDECIDED_BOUND_SECONDS = Math.max(...Object.values(PHASE_BOUND_SECONDS)) + 2 * SWEEP_INTERVAL_SECONDS;

/** A call takes this long at most here; each write of a decision is a few of them. */
const SLACK_MS = 2000;

/** State after an undisturbed run: the content and the columns that every available volume of the scenario must have. */
export type Undisturbed = ReadonlyMap<string, { content: MadeFrom | undefined; record: VolumeRecord | undefined }>;

/** State of a run's volumes at its end. */
export function contentsOf(account: Account, volumeIds: readonly string[]): Undisturbed {
  return new Map(
    volumeIds.map((id) => {
      const record = account.stores.volumes.records.get(id);
      const content = bytesOf(account, account.stores.drivers.get(record?.host ?? "")?.volumes.get(id));
      return [id, { record, content }];
    }),
  );
}

/** Records, lists and quotas of the projects. */
export function projectsAtRest({ stores }: Account): ProjectsAtRest {
  const { volumes, snapshots, projects } = stores;
  return {
    volumes: [...volumes.records.values()],
    snapshots: [...snapshots.records.values()],
    entries: [...projects.entries.values()],
    quotas: [...projects.quotas].map(([projectId, quota]) => ({ projectId, ...quota })),
  };
}

/** How a volume ended. */
export function endOf(account: Account, volumeId: string): End | VolumeStatus {
  return account.stores.volumes.records.get(volumeId)?.status ?? "gone";
}

/** Checks everything; what is wrong is noted on the account. */
export function checkInvariants(
  account: Account,
  scenario: Scenario,
  volumeIds: readonly string[],
  undisturbed: Undisturbed | undefined,
): void {
  for (const id of volumeIds) {
    const record = account.stores.volumes.records.get(id);
    checkDecided(account, id, record);
    checkNotifications(account, id, record);
    const isOurs = record === undefined || !isOperators(record);
    if (record !== undefined && isOurs) {
      checkLedger(account, record);
      checkError(account, record, undisturbed !== undefined);
      checkContent(account, scenario, record, undisturbed);
    }
    if (isOurs && scenario.never?.some((end) => end === endOf(account, id)) === true) {
      account.breach(10, `volume ${id} is ${endOf(account, id)}, which the project must not get`);
    }
    const error = record?.fault?.error ?? "";
    if (isOurs && scenario.never !== undefined && TELLS_OF_OTHERS.has(error)) {
      account.breach(10, `the fault of ${id}, ${error}, reveals another project's source`);
    }
  }
  checkBackends(account);
  checkLocks(account);
  checkSnapshots(account);
  checkUnreadable(account);
  checkCapacity(account);
  projectProblems(projectsAtRest(account)).forEach((problem) => account.breach(12, problem));
  checkMessages(account, volumeIds);
  if (account.monitor.isSetUp) {
    checkRaised(account);
  }
}

/** Objects of another project are treated as missing: these say that it does. */
const TELLS_OF_OTHERS: ReadonlySet<string> = new Set(["InvalidVolume", "InvalidSnapshot", "ImageUnacceptable"]);

/** From `available` to `create.end`: the bound of an open claim and two sweeps, and a sweep takes at most its time-out. */
const END_BOUND_MS =
  (OPEN_CLAIM_BOUND_SECONDS + 2 * SWEEP_INTERVAL_SECONDS + FUNCTIONS.SweepOverdueVolumes.timeoutSeconds) * 1000;

/** With two faults at once one may hit the very sweeps that the bound counts on. */
export function checkTimeOfEnds(account: Account, volumeIds: readonly string[]): void {
  for (const id of volumeIds) {
    const launchedAt = account.stores.volumes.records.get(id)?.launched_at ?? null;
    const times = account.stores.published
      .filter(
        ({ notification }) =>
          notification.event_type === "volume.create.end" && notification.payload["volume_id"] === id,
      )
      .map(({ atMs }) => atMs);
    const lateMs = launchedAt === null ? 0 : Math.min(...times) - Date.parse(launchedAt) - SLACK_MS;
    if (times.length > 0 && lateMs > END_BOUND_MS) {
      account.breach(6, `volume.create.end of ${id} was sent ${(lateMs / 1000).toFixed(0)} s after it was available`);
    }
  }
}

const NETS_FAIL = ["ErrorOutVolume", "ErrorOutFailedExecution", "SweepOverdueVolumes"].map(
  (name) => `AWS/Lambda/Errors ${name}`,
);

/** Conditions that need a person, each with metrics of which at least one must have been raised. */
function checkRaised(account: Account): void {
  const { volumes, snapshots, backends, drivers, deadLetters } = account.stores;
  const require = (what: string, metrics: readonly string[]): void => {
    if (!metrics.some((metric) => account.monitor.hasRaised(metric))) {
      account.breach(11, `${what}, and no alarm watches anything that was raised`);
    }
  };
  // A dead letter that its queue loses, which SQS does not do, takes its alarm with it.
  const hasLostLetter = [...account.queues.died].some((body) => account.queues.lost.has(body));
  for (const { id, status, fault } of volumes.records.values()) {
    if (volumes.unreadable.has(id)) {
      require(`the record of ${id} cannot be read`, ["Cinderless/UnreadableRecords", ...NETS_FAIL]);
    } else if (status === "error" && fault !== null && !hasLostLetter) {
      const hasRun = account.executions.byName.has(fenceOf(id, fault.attempt));
      const ends = ["Failed", "TimedOut", "Aborted"].map((end) => `AWS/States/Executions${end}`);
      const ofScheduling = ["Cinderless/UnscheduledCreates", "Cinderless/DeadLetters"];
      const raised = ["Cinderless/SweptVolumes", ...NETS_FAIL, ...(hasRun ? ends : ofScheduling)];
      require(`volume ${id} is in error by ${fault.error}`, raised);
    } else if (status === "error_deleting") {
      require(`volume ${id} is error_deleting`, NETS_FAIL);
    }
  }
  for (const id of [...snapshots.unreadable, ...backends.unreadable]) {
    require(`the record of ${id} cannot be read`, ["Cinderless/UnreadableRecords"]);
  }
  for (const [host, { hangs, isInitialized, isUnbuildable }] of drivers) {
    if (hangs || !isInitialized || isUnbuildable) {
      require(`${host} does not report`, ["Cinderless/UnreportedBackends"]);
    }
  }
  if (deadLetters.records.size > 0) {
    require("a dead letter is kept", ["Cinderless/DeadLetters"]);
  }
  if (account.orphans.size > 0) {
    require("the audit found an orphan", ["Cinderless/Orphans"]);
  }
}

/** Whether the record's status is an operator's word, which says nothing about the volume. */
function isOperators({ reset_at: resetAt }: VolumeRecord): boolean {
  return resetAt !== undefined;
}

function checkDecided(account: Account, id: string, record: VolumeRecord | undefined): void {
  // A status that an operator has set is the operator's to change.
  if (record !== undefined && isFlowStatus(record.status) && !isOperators(record)) {
    account.breach(1, `volume ${id} is ${record.status}, phase ${record.phase ?? "none"}, for ever`);
  }
  if (record !== undefined && record.deadline !== null) {
    account.breach(1, `volume ${id} is ${record.status} and still has a deadline`);
  }
  if (record !== undefined && record.delete_requested_at !== null && record.status !== "error_deleting") {
    account.breach(1, `the deletion of ${id} was asked for, and it stays ${record.status}`);
  }
  if (record?.status === "error" && record.fault === null && !isOperators(record)) {
    account.breach(5, `volume ${id} is in error without a fault`);
  }
  const moments = account.watch.lives.get(id)?.progressMs ?? [];
  for (const [index, moment] of moments.entries()) {
    const before = index === 0 ? account.startMs : (moments[index - 1] ?? moment);
    const seconds = (moment - before - SLACK_MS) / 1000;
    if (seconds > UNDECIDED_BOUND_SECONDS) {
      account.breach(
        1,
        `volume ${id} was undecided for ${seconds.toFixed(0)} s, the bound is ${UNDECIDED_BOUND_SECONDS} s`,
      );
    }
  }
}

function checkNotifications(account: Account, id: string, record: VolumeRecord | undefined): void {
  const ends = account.stores.published.filter(
    ({ notification }) => notification.event_type === "volume.create.end" && notification.payload["volume_id"] === id,
  );
  const isCreated = record !== undefined && (STATUSES_CREATED as readonly string[]).includes(record.status);
  if (isCreated && ends.length === 0 && !isOperators(record)) {
    account.breach(6, `volume ${id} is ${record.status}, and volume.create.end was never sent`);
  }
  if (new Set(ends.map(({ notification }) => notification.message_id)).size > 1) {
    account.breach(6, `volume.create.end of ${id} was sent under different ids`);
  }
  const events = account.stores.published.filter(({ notification }) => notification.payload["volume_id"] === id);
  const eventOf = new Map(events.map(({ notification }) => [notification.message_id, notification.event_type]));
  if (events.some(({ notification }) => eventOf.get(notification.message_id) !== notification.event_type)) {
    account.breach(6, `two events of ${id} share one message_id`);
  }
  for (const { statusThen, notification } of ends) {
    if (statusThen !== undefined && isFlowStatus(statusThen)) {
      account.breach(6, `volume.create.end of ${id} was sent while it was ${statusThen}`);
    }
    if ((record?.status === "error" && !isOperators(record)) || notification.payload["status"] === "error") {
      account.breach(6, `volume.create.end of ${id} was sent, and it is in error`);
    }
  }
}

/**
 * The fault is of the latest attempt, which has sent create.error. The claim on the host is the outbox of that event; without a host the
 * message is, and it may be lost together with the function that marked the volume, so a fault may prevent the event.
 */
function checkError(account: Account, { id, fence, fault, host, status }: VolumeRecord, isUnderFault: boolean): void {
  if (status !== "error" || fault === null) {
    return;
  }
  const isSent = account.stores.published.some(
    ({ notification: { event_type: type, payload } }) =>
      type === "volume.create.error" &&
      payload["volume_id"] === id &&
      (payload["fault"] as Fault | undefined)?.attempt === fault.attempt,
  );
  if (!isSent && !(host === null && isUnderFault)) {
    account.breach(
      6,
      `volume ${id} is in error since attempt ${fault.attempt}, and volume.create.error was never sent`,
    );
  }
  if (fence !== null && attemptOfFence(fence) !== fault.attempt) {
    account.breach(2, `volume ${id} of ${fence} is in error by attempt ${fault.attempt}`);
  }
}

function checkContent(
  account: Account,
  scenario: Scenario,
  record: VolumeRecord,
  undisturbed: Undisturbed | undefined,
): void {
  if (!(STATUSES_CREATED as readonly string[]).includes(record.status)) {
    return;
  }
  const { drivers } = account.stores;
  const holders = [...drivers].filter(([, { volumes }]) => volumes.has(record.id)).map(([host]) => host);
  if (record.host === null || !holders.includes(record.host)) {
    account.breach(
      3,
      `volume ${record.id} is ${record.status} on ${record.host ?? "no host"}, held by: ${holders.join(", ")}`,
    );
  }
  checkMade(account, scenario, record);
  const backend = drivers.get(record.host ?? "");
  const source = backend?.volumes.get(record.id)?.source ?? "";
  if (backend?.truncated.has(source) === true || backend?.damagedImages.has(source) === true) {
    account.breach(8, `volume ${record.id} is made of ${source}, which has lost bytes`);
  }
  const content = backend?.volumes.get(record.id);
  if (content?.bytes !== undefined && content.bytes !== backend?.chunks) {
    account.breach(8, `volume ${record.id} holds ${content.bytes} of the ${backend?.chunks ?? 0} chunks of its image`);
  }
  const expected = undisturbed?.get(record.id);
  if (expected?.record === undefined || !(STATUSES_CREATED as readonly string[]).includes(expected.record.status)) {
    return;
  }
  if (JSON.stringify(bytesOf(account, content)) !== JSON.stringify(expected.content)) {
    account.breach(8, `volume ${record.id} holds ${JSON.stringify(content)}, not ${JSON.stringify(expected.content)}`);
  }
  const isNotExtended = expected.record.extension !== undefined && record.extension?.outcome !== "extended";
  const size = drivers.get(record.host ?? "")?.sizes.get(record.id) ?? 0;
  if (record.extension?.outcome === "extended" && size !== record.size) {
    account.breach(8, `volume ${record.id} of ${record.size} GiB was extended to ${size} GiB on its backend`);
  }
  for (const column of ["status", "bootable", "glance_metadata", "provider_location", "size"] as const) {
    if (column === "size" && isNotExtended) {
      continue;
    }
    if (JSON.stringify(record[column]) !== JSON.stringify(expected.record[column])) {
      account.breach(
        8,
        `${column} of ${record.id} is ${JSON.stringify(record[column])}, not ${JSON.stringify(expected.record[column])}`,
      );
    }
  }
}

/** Against what was written down by hand. */
function checkMade(account: Account, { makes }: Scenario, record: VolumeRecord): void {
  if (makes === undefined) {
    account.breach(8, `volume ${record.id} is ${record.status}, and its scenario does not say what it makes`);
    return;
  }
  const { content, columns } = EXPECTED[makes];
  const held = bytesOf(account, account.stores.drivers.get(record.host ?? "")?.volumes.get(record.id));
  if (!isDeepStrictEqual(held, content)) {
    account.breach(8, `volume ${record.id} holds ${JSON.stringify(held)}, and ${makes} was asked for`);
  }
  for (const [column, value] of Object.entries(columns)) {
    const found = record[column as keyof typeof columns];
    if (!isDeepStrictEqual(found, value)) {
      account.breach(8, `${column} of ${record.id} is ${JSON.stringify(found)}, and that of ${makes} is another`);
    }
  }
}

/** A clone of a cached volume holds what a copy of its image does. */
function bytesOf(account: Account, content: MadeFrom | undefined): MadeFrom | undefined {
  const imageId = account.stores.imageCacheEntries.imageOf.get(content?.source ?? "");
  const isOfImage = imageId !== undefined || content?.from === "image";
  return isOfImage ? { from: "image", source: imageId ?? content?.source ?? "" } : content;
}

/** Volumes on a backend that are not its record's, and that no ledger names. */
export function unclaimedOn(account: Account): { host: string; id: string; record: VolumeRecord | undefined }[] {
  return [...account.stores.drivers].flatMap(([host, { volumes }]) =>
    [...volumes.keys()].flatMap((id) => {
      const record = account.stores.volumes.records.get(id);
      return record?.host === host || isSuspectedOn(host, record) ? [] : [{ host, id, record }];
    }),
  );
}

function isSuspectedOn(host: string, record: VolumeRecord | undefined): boolean {
  return Object.values(record?.attempts ?? {}).some((line) => line.host === host && line.suspected_orphan === true);
}

/**
 * A volume that was deleted has no ledger any more. Only data that its ledger suspected may remain. The audit must find it, and the
 * scenario's own data.
 */
function checkBackends(account: Account): void {
  for (const { host, id, record } of unclaimedOn(account)) {
    if (record !== undefined) {
      account.breach(
        4,
        `${host} holds volume ${id}, which is recorded on ${record.host ?? "no host"}, and no ledger names it`,
      );
    } else if (!account.scenariosOwn.has(id) && !isSuspectedOn(host, account.watch.removed.get(id))) {
      account.breach(4, `${host} holds volume ${id}, which was deleted`);
    } else if (!account.orphans.has(id)) {
      account.breach(4, `${host} holds volume ${id}, which has no record, and the audit does not find it`);
    }
  }
}

/** At rest no create uses a source: only the locks of existing snapshots remain. */
export function checkLocks(account: Account): void {
  const { locks, volumes, snapshots, imageCacheEntries } = account.stores;
  for (const { id, locks: entries = {} } of [...volumes.records.values(), ...snapshots.records.values()]) {
    if (Object.values(entries).some((value) => value !== STALE_LOCK)) {
      account.breach(4, `${id} has locks that an earlier release has left: ${JSON.stringify(entries)}`);
    }
  }
  for (const { source, holder, value } of locks.all) {
    // A clone of a cached volume has no source on its record; the eviction of the cached one checks its holder.
    const isCached = imageCacheEntries.imageOf.has(source.id);
    const isScenarios = value === STALE_LOCK;
    const isHeld = value === SNAPSHOT_LOCK ? snapshots.records.has(holder) : isCached;
    if (!isHeld && !isScenarios) {
      account.breach(4, `${source.what} ${source.id} is locked by ${value} of ${holder}, which has ended`);
    }
  }
}

/** A snapshot on a backend has a record, and a volume whose lock protects it. */
function checkSnapshots(account: Account): void {
  const { drivers, snapshots } = account.stores;
  for (const { id, status, deadline } of snapshots.records.values()) {
    if (deadline !== undefined) {
      account.breach(1, `snapshot ${id} is ${status} for ever`);
    }
  }
  for (const [host, { snapshots: held }] of drivers) {
    // Other snapshots without a record are the scenarios' own, for the audit.
    if (held.has(SNAPSHOT) && !snapshots.records.has(SNAPSHOT) && !account.orphans.has(SNAPSHOT)) {
      account.breach(4, `${host} holds snapshot ${SNAPSHOT}, which has no record, and the audit does not find it`);
    }
  }
}

/** The content of an unreadable record is unknown, so its data on the backend is kept. */
function checkUnreadable(account: Account): void {
  const { volumes, snapshots, drivers } = account.stores;
  for (const id of volumes.unreadable) {
    const { host = null, status } = volumes.records.get(id) ?? {};
    if (status === "available" && drivers.get(host ?? "")?.volumes.has(id) !== true) {
      account.breach(3, `volume ${id} is gone from ${host ?? "no host"}, and its record cannot be read`);
    }
  }
  for (const id of snapshots.unreadable) {
    const { host = "" } = snapshots.records.get(id) ?? {};
    if (drivers.get(host)?.snapshots.has(id) !== true) {
      account.breach(3, `snapshot ${id} is gone from ${host}, and its record cannot be read`);
    }
  }
}

/** Capacity is counted on a host for exactly the volumes that name it, and no claim stays open. */
function checkCapacity(account: Account): void {
  for (const backend of account.stores.backends.records.values()) {
    const here = [...account.stores.volumes.records.values()].filter(({ host }) => host === backend.host);
    const size = here.reduce((sum, volume) => sum + volume.size, 0);
    for (const column of ["allocated_capacity_gb", "provisioned_capacity_gb"] as const) {
      if (backend[column] !== size) {
        account.breach(4, `${column} of ${backend.host} is ${backend[column]}, its volumes take ${size}`);
      }
    }
    for (const claim of account.stores.backends.openOn(backend.host).keys()) {
      account.breach(4, `the claim ${claim} on ${backend.host} is left open`);
    }
  }
}

function checkMessages(account: Account, volumeIds: readonly string[]): void {
  if (account.queues.waiting.length > 0) {
    account.breach(7, `${account.queues.waiting.length} messages wait in the scheduler queue for ever`);
  }
  const dead = new Set(account.queues.deadLetters);
  const kept = [...account.stores.deadLetters.records.values()];
  account.note("kept dead letter", kept);
  const { unreadable } = account.stores.volumes;
  for (const { body } of account.queues.accepted) {
    const names = [...volumeIds, ...unreadable].find((id) => body.includes(id));
    const isKept = kept.some(({ volume_id: volumeId }) => volumeId === (names ?? null));
    // A volume with an unreadable record cannot be decided; its message is kept until a person has corrected the record.
    const isLeft = names !== undefined && unreadable.has(names) && isKept;
    const isDecided = isLeft || typeof account.watch.lives.get(names ?? "")?.decidedMs === "number";
    const isStored = isKept || dead.has(body);
    const isOfVolume = names !== undefined && account.watch.lives.has(names);
    if (account.queues.died.has(body) && !isStored && !account.queues.lost.has(body)) {
      account.breach(7, `a dead letter was not kept: ${body.slice(0, 80)}`);
    }
    if ((isOfVolume && !isDecided) || (!isOfVolume && !isStored && !account.queues.lost.has(body))) {
      account.breach(7, `a message was lost: ${body.slice(0, 80)}`);
    }
  }
}
