import { DynamoDbAuditRepository } from "../../adapters/dynamodb/audit-repository.ts";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { DynamoDbImageCacheRepository } from "../../adapters/dynamodb/image-cache-repository.ts";
import { DynamoDbLockRepository } from "../../adapters/dynamodb/lock-repository.ts";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { type DynamoDb, toItem } from "../../adapters/dynamodb/table.ts";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { DynamoDbVolumeTypeRepository } from "../../adapters/dynamodb/volume-type-repository.ts";
import type { AuditRepository } from "../../core/audit/kept-audit.ts";
import type { ImageCacheRepository } from "../../core/image-cache/image-cache.ts";
import type {
  BackendRepository,
  DeadLetterRepository,
  LockedSource,
  LockRepository,
  SnapshotRepository,
  VolumeRepository,
  VolumeTypeRepository,
} from "../../core/ports.ts";
import type { NameClaim, ProjectRepository } from "../../core/projects.ts";
import type { Repositories } from "../../lambdas/runtime/ports.ts";
import { EnoughRequests, type RecordedRequest, recordingClient, type Temper } from "./recording-client.ts";
import * as samples from "./sample-records.ts";

/** Every kind of call of each method that changes its requests to the table. A method without one does not compile. */
type Calls<Repository> = { [Method in keyof Repository]: readonly ((repository: Repository) => Promise<unknown>)[] };

const {
  ATTACHMENT,
  AT,
  CLAIM,
  FAULT,
  LEASE,
  LINE,
  LATE_OWNER,
  LOCK,
  NEXT,
  OWNER,
  PROGRESS,
  VOLUME,
  SNAPSHOT,
  VOLUME_TYPE,
  BACKEND,
  LETTER,
  ENTRY,
  EXTENSION,
} = samples;

/** The second table of the repository of backends, by its name in `infra/records.ts`. */
export const CLAIMS_TABLE = "claims";

const CLAIM_REF = { key: VOLUME.id, attempt: CLAIM.attempt, claimedAt: CLAIM.claimed_at };

const VOLUMES: Calls<VolumeRepository> = {
  get: [(volumes) => volumes.get(VOLUME.id)],
  getMany: [(volumes) => volumes.getMany([VOLUME.id])],
  listSummaries: [(volumes) => volumes.listSummaries([VOLUME.id])],
  list: [(volumes) => volumes.list({}, 1)],
  create: [(volumes) => volumes.create(VOLUME)],
  assignHost: [OWNER, LATE_OWNER].map(
    (owner) => (volumes: VolumeRepository) => volumes.assignHost(owner, "h@b#p", "nova", LINE, AT),
  ),
  resetStatus: [(volumes) => volumes.resetStatus(VOLUME.id, "error")],
  beginCreate: [(volumes) => volumes.beginCreate(OWNER, AT)],
  persistModelUpdate: [
    (volumes) => volumes.persistModelUpdate(OWNER, {}, "created"),
    (volumes) => volumes.persistModelUpdate(OWNER, { provider_location: "p" }, "created", "downloading"),
  ],
  saveProgress: [
    (volumes) => volumes.saveProgress(OWNER, PROGRESS, AT),
    (volumes) => volumes.saveProgress(OWNER, { ...PROGRESS, image_tag: "t" }, AT),
  ],
  markBootable: [(volumes) => volumes.markBootable(OWNER, {})],
  markAvailable: [
    (volumes) => volumes.markAvailable(OWNER, "available", AT, {}),
    (volumes) => volumes.markAvailable(OWNER, "available", AT, { provider_location: "p" }),
  ],
  markError: [OWNER, LATE_OWNER].map((owner) => (volumes: VolumeRepository) => volumes.markError(owner, FAULT)),
  releaseForReschedule: [false, true].flatMap((suspectedOrphan) =>
    [undefined, "creating" as const].map((clearedPhase) => (volumes: VolumeRepository) => {
      const close = { outcome: "rescheduled" as const, error: "E", cause: "c", at: AT, suspectedOrphan };
      return volumes.releaseForReschedule(OWNER, NEXT, { ...close, ...(clearedPhase && { clearedPhase }) }, AT);
    }),
  ),
  requeue: [
    (volumes) => volumes.requeue(VOLUME, NEXT, AT),
    (volumes) => volumes.requeue({ ...VOLUME, fence: null, host: null, phase: null }, NEXT, AT),
  ],
  markUnschedulable: [
    (volumes) => volumes.markUnschedulable(VOLUME.id, null, FAULT),
    (volumes) => volumes.markUnschedulable(VOLUME.id, OWNER.fence, FAULT),
  ],
  listOverdue: [(volumes) => volumes.listOverdue(AT, 1)],
  forgetDeadline: [(volumes) => volumes.forgetDeadline(VOLUME.id, AT.toISOString())],
  beginDelete: [
    (volumes) => volumes.beginDelete(VOLUME, AT),
    (volumes) => volumes.beginDelete({ id: VOLUME.id }, AT, { force: true }),
  ],
  finishDelete: [(volumes) => volumes.finishDelete(VOLUME.id)],
  requestDelete: [(volumes) => volumes.requestDelete(VOLUME.id, AT)],
  beginRequestedDelete: [null, OWNER.fence].map(
    (fence) => (volumes: VolumeRepository) => volumes.beginRequestedDelete(VOLUME.id, fence, AT),
  ),
  markErrorDeleting: [null, OWNER.fence].map(
    (fence) => (volumes: VolumeRepository) => volumes.markErrorDeleting(VOLUME.id, fence, FAULT),
  ),
  changeDetails: [
    (volumes) =>
      volumes.changeDetails(VOLUME.id, {
        displayName: "n",
        displayDescription: null,
        bootable: true,
        messageDeleted: AT.toISOString(),
        metadata: { set: { a: "b" }, unset: ["c"] },
      }),
    (volumes) => volumes.changeDetails(VOLUME.id, { glanceMetadata: { set: { a: "b" }, unset: ["c"] } }),
  ],
  changeType: [null, "type"].map(
    (type) => (volumes: VolumeRepository) => volumes.changeType({ ...VOLUME, volume_type_id: type }, "other", "retype"),
  ),
  beginExtend: [undefined, EXTENSION].map(
    (last) => (volumes: VolumeRepository) =>
      volumes.beginExtend({ ...VOLUME, ...(last && { extension: last }) }, { ...EXTENSION, counted: true }, AT),
  ),
  keepExtensionClaim: [(volumes) => volumes.keepExtensionClaim(VOLUME.id, 1, AT.toISOString())],
  endExtend: [
    (volumes) => volumes.endExtend(VOLUME.id, 1, { outcome: "extended", size: 2, status: "available", at: AT }),
    (volumes) =>
      volumes.endExtend(VOLUME.id, 1, {
        outcome: "failed",
        error: "E",
        cause: "c",
        status: "error_extending",
        at: AT,
        quotaSize: 1,
      }),
  ],
  changeAttachments: [undefined, 1].flatMap((revision) => {
    const volume = { ...VOLUME, ...(revision !== undefined && { attach_revision: revision }) };
    return [
      (volumes: VolumeRepository) =>
        volumes.changeAttachments(volume, {
          status: "in-use",
          attachStatus: "attached",
          attachments: { id: ATTACHMENT },
          attachedMode: "rw",
          readonly: false,
        }),
      (volumes: VolumeRepository) =>
        volumes.changeAttachments(volume, { attachStatus: "detached", attachments: {}, attachedMode: null }),
    ];
  }),
  countLock: [null, "project"].map(
    (project) => (volumes: VolumeRepository) => volumes.countLock(VOLUME.id, ["available"], project),
  ),
  forgetLock: [(volumes) => volumes.forgetLock(VOLUME.id, LOCK)],
};

const SNAPSHOTS: Calls<SnapshotRepository> = {
  get: [(snapshots) => snapshots.get(SNAPSHOT.id)],
  getMany: [(snapshots) => snapshots.getMany([SNAPSHOT.id])],
  list: [(snapshots) => snapshots.list(1)],
  listOfVolume: [(snapshots) => snapshots.listOfVolume(VOLUME.id)],
  listOverdue: [(snapshots) => snapshots.listOverdue(AT, 1)],
  create: [(snapshots) => snapshots.create({ ...SNAPSHOT, deadline: AT.toISOString() })],
  markAvailable: [null, "p"].map(
    (location) => (snapshots: SnapshotRepository) => snapshots.markAvailable(SNAPSHOT.id, location),
  ),
  markError: [(snapshots) => snapshots.markError(SNAPSHOT.id)],
  resetStatus: [undefined, "creating" as const].map(
    (from) => (snapshots: SnapshotRepository) => snapshots.resetStatus(SNAPSHOT.id, "error", from),
  ),
  changeDetails: [null, "text"].map(
    (text) => (snapshots: SnapshotRepository) =>
      snapshots.changeDetails(SNAPSHOT.id, {
        displayName: text,
        displayDescription: text,
        metadata: { set: { a: "b" }, unset: ["c"] },
        progress: "80%",
        updatedAt: AT,
      }),
  ),
  countLock: [null, "project"].map(
    (project) => (snapshots: SnapshotRepository) => snapshots.countLock(SNAPSHOT.id, project),
  ),
  forgetLock: [(snapshots) => snapshots.forgetLock(SNAPSHOT.id, LOCK)],
  rename: [(snapshots) => snapshots.rename(SNAPSHOT.id, "n")],
  beginDelete: [SNAPSHOT, { id: SNAPSHOT.id, status: SNAPSHOT.status }].map(
    (snapshot) => (snapshots: SnapshotRepository) => snapshots.beginDelete(snapshot, AT),
  ),
  markErrorDeleting: [(snapshots) => snapshots.markErrorDeleting(SNAPSHOT.id)],
  delete: [(snapshots) => snapshots.delete(SNAPSHOT.id)],
};

const SOURCE: LockedSource = { what: "volume", id: VOLUME.id };

const LOCKS: Calls<LockRepository> = {
  put: [(locks) => locks.put(SOURCE, LOCK)],
  withdraw: [(locks) => locks.withdraw(SOURCE, LOCK, "mark")],
  remove: [(locks) => locks.remove(SOURCE, LOCK.holder, [LOCK.value])],
  of: [false, true].map((creates) => (locks: LockRepository) => locks.of(SOURCE, creates, 1)),
  list: [(locks) => locks.list(1)],
};

const VOLUME_TYPES: Calls<VolumeTypeRepository> = {
  get: [(types) => types.get(VOLUME_TYPE.id)],
  getMany: [(types) => types.getMany([VOLUME_TYPE.id])],
  getByName: [(types) => types.getByName(VOLUME_TYPE.name)],
  list: [(types) => types.list(1)],
  create: [(types) => types.create(VOLUME_TYPE)],
  change: [
    (types) =>
      types.change(VOLUME_TYPE.id, { name: "n", description: null, isPublic: true, extraSpecs: { set: { a: "b" } } }),
    (types) => types.change(VOLUME_TYPE.id, { access: { set: { project: "member" } } }),
    (types) => types.change(VOLUME_TYPE.id, { encryption: VOLUME_TYPE.encryption }),
    (types) => types.change(VOLUME_TYPE.id, { encryption: null }),
  ],
  delete: [(types) => types.delete(VOLUME_TYPE.id)],
};

const BACKENDS: Calls<BackendRepository> = {
  list: [(backends) => backends.list()],
  get: [(backends) => backends.get(BACKEND.host)],
  claim: [
    (backends) => backends.claim(BACKEND, OWNER, 1, { maxProvisionedCapacityGb: 1, minFreeCapacityGb: 1 }),
    (backends) =>
      backends.claim({ ...BACKEND, free_capacity_gb: "unknown" }, OWNER, 1, {
        maxProvisionedCapacityGb: null,
        minFreeCapacityGb: null,
      }),
  ],
  claimOf: [(backends) => backends.claimOf(BACKEND.host, VOLUME.id, OWNER.attempt)],
  openClaims: [undefined, AT].map(
    (before) => (backends: BackendRepository) => backends.openClaims(BACKEND.host, before),
  ),
  settle: [(backends) => backends.settle(BACKEND.host, CLAIM_REF)],
  settleUnsent: [(backends) => backends.settleUnsent(BACKEND.host, CLAIM_REF)],
  release: [(backends) => backends.release(BACKEND.host, CLAIM_REF)],
  returnCapacity: [false, true].map(
    (suspect) => (backends: BackendRepository) => backends.returnCapacity(BACKEND.host, CLAIM_REF, 1, suspect),
  ),
  isGivenBack: [(backends) => backends.isGivenBack(BACKEND.host, CLAIM_REF)],
  tidy: [(backends) => backends.tidy(BACKEND.host)],
  setDisabled: [null, "reason"].map(
    (reason) => (backends: BackendRepository) => backends.setDisabled(BACKEND.host, true, reason),
  ),
  openCapacity: [(backends) => backends.openCapacity(BACKEND.host)],
  report: [
    (backends) => backends.report(samples.REPORT),
    (backends) => backends.report({ ...samples.REPORT, free_capacity_gb: null, max_over_subscription_ratio: null }),
  ],
};

const DEAD_LETTERS: Calls<DeadLetterRepository> = {
  keep: [(letters) => letters.keep(LETTER)],
  get: [(letters) => letters.get(LETTER.id)],
  list: [(letters) => letters.list(1)],
  beginRedrive: [(letters) => letters.beginRedrive(LETTER.id, NEXT.fence)],
  discard: [(letters) => letters.discard(LETTER.id)],
  markRedriven: [(letters) => letters.markRedriven(LETTER.id, AT)],
};

const IMAGE_CACHE: Calls<ImageCacheRepository> = {
  get: [(entries) => entries.get(ENTRY.id)],
  list: [(entries) => entries.list()],
  beginFill: [(entries) => entries.beginFill(samples.NEW_ENTRY, LEASE)],
  renew: [null, {}].map((checkpoint) => (entries: ImageCacheRepository) => entries.renew(ENTRY.id, LEASE, checkpoint)),
  beginCopy: [(entries) => entries.beginCopy(ENTRY.id, LEASE)],
  complete: [(entries) => entries.complete(ENTRY.id, LEASE.fence, AT)],
  abandon: [
    (entries) => entries.abandon(ENTRY.id, { now: AT }),
    (entries) => entries.abandon(ENTRY.id, { fence: LEASE.fence }),
  ],
  touch: [(entries) => entries.touch(ENTRY.id, AT)],
  beginEvict: [null, LEASE.fence].map(
    (fence) => (entries: ImageCacheRepository) => entries.beginEvict(ENTRY.id, { fence, now: AT }),
  ),
  finishEvict: [(entries) => entries.finishEvict(ENTRY.id)],
};

const POSITION = { kind: "volume", id: VOLUME.id, projectId: "project", createdAt: AT.toISOString() } as const;
const HOLDER = `volume:${VOLUME.id}`;
const USAGE = { volumes: 1 };

const NAME_CLAIM: NameClaim = { scope: "volume_type", name: "name", holder: "other", claimedAt: AT.toISOString() };

const PROJECTS: Calls<ProjectRepository> = {
  enter: [(projects) => projects.enter({ ...POSITION, name: "name" })],
  leave: [(projects) => projects.leave(POSITION)],
  removeEntry: [(projects) => projects.removeEntry(POSITION)],
  rename: [null, "name"].map((name) => (projects: ProjectRepository) => projects.rename(POSITION, name)),
  correctName: [undefined, AT.toISOString()].map((renamedAt) => (projects: ProjectRepository) => {
    const entry = { ...POSITION, name: null, ...(renamedAt !== undefined && { renamedAt }) };
    return projects.correctName(entry, "name");
  }),
  list: [undefined, "name"].map(
    (name) => (projects: ProjectRepository) => projects.list("project", "volume", { limit: 1, name }),
  ),
  listAll: [(projects) => projects.listAll("volume")],
  quota: [(projects) => projects.quota("project")],
  readTogether: [(projects) => projects.readTogether(["project"], [{ scope: "volume_type", name: "name" }])],
  listQuotas: [(projects) => projects.listQuotas()],
  correctUsage: [
    (projects) =>
      projects.correctUsage("project", { used: { volumes: 1 }, limits: {}, moving: {}, returns: 0 }, { volumes: 2 }),
  ],
  reserve: [
    (projects) => projects.reserve({ projectId: "project", holder: HOLDER, usage: USAGE, limits: { volumes: 10 } }),
  ],
  confirm: [undefined, AT.toISOString()].map(
    (at) => (projects: ProjectRepository) => projects.confirm("project", HOLDER, at),
  ),
  cancel: [(projects) => projects.cancel("project", HOLDER)],
  giveBack: [(projects) => projects.giveBack("project", "volume:other", USAGE, async () => true)],
  claimName: [{}, { expiresAt: AT, replaces: NAME_CLAIM }].map(
    (options) => (projects: ProjectRepository) => projects.claimName("volume_type", "name", "holder", options),
  ),
  findName: [(projects) => projects.findName("volume_type", "name")],
  releaseName: [(projects) => projects.releaseName("volume_type", "name", "holder")],
  setLimits: [null, 1].map(
    (limit) => (projects: ProjectRepository) => projects.setLimits("project", { volumes: limit }),
  ),
};

/** A quota's item with an open reservation, and one of which everything was given back. */
const QUOTA_ITEM = toItem({
  project_id: "project",
  entry: "quota",
  used: USAGE,
  limits: {},
  moving: { [HOLDER]: { kind: "taken", usage: USAGE, at: AT.toISOString() } },
  returns: 0,
});

const RETURNED_ITEM = toItem({
  project_id: "project",
  entry: "quota",
  used: USAGE,
  limits: {},
  moving: { [HOLDER]: { kind: "given_back", usage: USAGE, at: AT.toISOString() } },
  returns: 0,
});

type Options = { client: DynamoDb; tableName: string; clock: { now(): Date } };

/** Items that a table may return, including those that make a method write again. */
const VOLUME_ITEMS = [VOLUME, samples.VOLUME_IN_ERROR, samples.MIGRATION_TARGET].map(volumeItem);

const AUDITS: Calls<AuditRepository> = {
  keep: [(audits) => audits.keep(samples.KEPT_AUDIT)],
  last: [(audits) => audits.last()],
};

/**
 * The requests of each repository method to its table, found by calling it: with every shape of its arguments, and with a table that
 * accepts its writes, refuses them, lacks the path of the first, or has no room for it.
 *
 * @returns requests by table and method
 */
export async function repositoryRequests(): Promise<Record<keyof Repositories, Record<string, RecordedRequest[]>>> {
  return {
    volumes: await record((options) => new DynamoDbVolumeRepository(options), VOLUMES, VOLUME_ITEMS),
    snapshots: await record((options) => new DynamoDbSnapshotRepository(options), SNAPSHOTS, [toItem(SNAPSHOT)]),
    locks: await record((options) => new DynamoDbLockRepository(options), LOCKS, []),
    volumeTypes: await record((options) => new DynamoDbVolumeTypeRepository(options), VOLUME_TYPES, [
      toItem(VOLUME_TYPE),
    ]),
    backends: await record(
      (options) => new DynamoDbBackendRepository({ ...options, claimsTableName: CLAIMS_TABLE }),
      BACKENDS,
      samples.BACKEND_ITEMS.map(toItem),
    ),
    deadLetters: await record((options) => new DynamoDbDeadLetterRepository(options), DEAD_LETTERS, [toItem(LETTER)]),
    imageCache: await record((options) => new DynamoDbImageCacheRepository(options), IMAGE_CACHE, [toItem(ENTRY)]),
    projects: await record((options) => new DynamoDbProjectRepository(options), PROJECTS, [QUOTA_ITEM, RETURNED_ITEM]),
    audits: await record((options) => new DynamoDbAuditRepository(options), AUDITS, []),
  };
}

async function record<Repository extends object>(
  make: (options: Options) => Repository,
  calls: Calls<Repository>,
  items: readonly ReturnType<typeof toItem>[],
): Promise<Record<string, RecordedRequest[]>> {
  const requests: Record<string, RecordedRequest[]> = {};
  for (const [method, shapes] of Object.entries(calls) as [string, Calls<Repository>[keyof Repository]][]) {
    const made: RecordedRequest[] = [];
    requests[method] = made;
    for (const call of shapes) {
      for (const temper of ["takes", "refuses", "misses a path", "is full"] satisfies Temper[]) {
        for (const item of [undefined, ...items]) {
          await tolerate(() =>
            call(make({ client: recordingClient(temper, item, made), tableName: "table", clock: { now: () => AT } })),
          );
        }
      }
    }
  }
  return requests;
}

/** A refusal is an expected answer here; a mistake of this file is not. */
async function tolerate(call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    const isMistake = error instanceof TypeError || error instanceof ReferenceError;
    if (isMistake && !(error instanceof EnoughRequests)) {
      throw error;
    }
  }
}
