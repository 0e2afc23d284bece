import { describe, expect, it } from "vitest";
import { CHECKS, findViolations } from "../../verify/chaos/check.ts";
import { digestOf } from "../../verify/chaos/content.ts";
import type {
  AcceptedVolume,
  ApiEvidence,
  Evidence,
  ProjectState,
  StoredFile,
  Told,
} from "../../verify/chaos/evidence.ts";
import type { Attempt, BackendRecord, SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import { IMAGE_CACHE_PROJECT_ID } from "../../core/image-cache/image-cache.ts";
import { buildCreateRequest } from "../../core/requests/create-request.ts";

const AT = "2026-01-01T00:00:00.000Z";
const GIB = 2 ** 30;
const EMPTY = digestOf([]);
const IMAGE = digestOf([{ offset: 0, data: Buffer.from("image") }]);

const uuid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
const RAW = uuid(1);
const IMAGED = uuid(2);
const FAILED = uuid(3);
const DELETED = uuid(4);
const SNAPSHOT = uuid(5);
const BAD = uuid(6);
const UNREADABLE = uuid(8);
const FIRST = "chaos@first#first";

function record(id: string, change: Partial<VolumeRecord> = {}): VolumeRecord {
  const { record: made } = buildCreateRequest({ sizeGib: 1 }, new Date(AT), { volumeId: id, requestId: "req-1" });
  const status = "available";
  const attempts = { "1": attemptOf(id, 1) };
  return { ...made, status, host: FIRST, fence: `${id}-a1`, phase: null, deadline: null, attempts, ...change };
}

function attemptOf(id: string, number: number): Attempt {
  return { host: FIRST, execution: `${id}-a${number}`, started_at: AT, outcome: "created" };
}

function accepted(id: string, change: Partial<AcceptedVolume> = {}): AcceptedVolume {
  return {
    id,
    name: null,
    project: "admin",
    kind: "raw",
    sizeGib: 1,
    digest: EMPTY,
    deletion: "none",
    spoiled: false,
    foreign: false,
    abandoned: false,
    extendedTo: null,
    resetTo: null,
    redriven: false,
    suspectedOn: [],
    zone: "nova",
    ...change,
  };
}

function file(id: string, change: Partial<StoredFile> = {}): StoredFile {
  return {
    backend: "chaos@first",
    what: "volume",
    id,
    partial: false,
    sizeBytes: GIB,
    digest: EMPTY,
    ...change,
  };
}

function end(volumeId: string, change: Partial<Told> = {}): Told {
  return { eventType: "volume.create.end", volumeId, messageId: `m-${volumeId}`, statusThen: "available", ...change };
}

const FAULT = { error: "NoValidBackend", cause: "full", attempt: 1, at: AT, attempts: [] };
const BACKEND = {
  host: FIRST,
  allocated_capacity_gb: 4,
  provisioned_capacity_gb: 4,
  claims: {},
} as unknown as BackendRecord;
const SNAPSHOT_RECORD = { id: SNAPSHOT, status: "available", host: FIRST } as SnapshotRecord;

const CREATE = { name: "one", project: "small", sizeGib: 1, ids: [uuid(20)], end: "accepted" } as const;
const COUNTED = { volumes: 1, gigabytes: 2, snapshots: 1 };

/** Made by the API: a volume and a snapshot of it in a project with room for one volume. */
const BY_API = {
  accepted: accepted(uuid(20), { name: "one", project: "small" }),
  record: record(uuid(20), { display_name: "one", project_id: "small", use_quota: true, created_at: AT, size: 1 }),
  file: file(uuid(20)),
  end: end(uuid(20)),
  snapshot: {
    ...({ id: uuid(21), status: "available", host: FIRST, display_name: "two", project_id: "small" } as SnapshotRecord),
    ...({ volume_size: 1, use_quota: true, created_at: AT } as const),
  },
  snapshotFile: file(uuid(21), { what: "snapshot" }),
  evidence: {
    creates: [CREATE, { ...CREATE, name: "three", ids: [], end: "refused by the quota" }],
    snapshots: [{ name: "two", project: "small", deletion: "none" }],
    projects: [
      {
        id: "small",
        limits: { volumes: 1, gigabytes: -1, snapshots: 1 },
        leftOverGib: 0,
        settled: COUNTED,
        audited: COUNTED,
        reservations: [],
        entries: [
          { kind: "volume", id: uuid(20), name: "one", createdAt: AT },
          { kind: "snapshot", id: uuid(21), name: "two", createdAt: AT },
        ],
      },
    ],
    readProblems: [],
    failures: [],
    corrections: 0,
  } satisfies ApiEvidence as ApiEvidence,
};
const lockOn = (what: "volume" | "snapshot", id: string, holder: string, value: string) => ({
  source: { what, id },
  holder,
  value,
});

/** A run in which everything went as it should. */
const GOOD: Evidence = {
  accepted: [
    accepted(RAW),
    accepted(IMAGED, { kind: "image", digest: IMAGE }),
    accepted(FAILED),
    accepted(DELETED, { deletion: "accepted" }),
    BY_API.accepted,
  ],
  known: [],
  snapshotDigests: { [SNAPSHOT]: IMAGE },
  badMessages: [{ marker: BAD, why: "is not valid JSON" }],
  records: [record(RAW), record(IMAGED), record(FAILED, { status: "error", fault: FAULT }), BY_API.record],
  snapshots: [SNAPSHOT_RECORD, BY_API.snapshot],
  locks: [],
  backends: [BACKEND],
  files: [
    file(RAW),
    file(IMAGED, { digest: IMAGE }),
    file(SNAPSHOT, { what: "snapshot", digest: IMAGE }),
    file(UNREADABLE),
    BY_API.file,
    BY_API.snapshotFile,
  ],
  told: [end(RAW), end(IMAGED), BY_API.end],
  deadLetters: [{ body: `{"x":${BAD}`, reason: "the message is not valid JSON" }],
  messagesLeft: 0,
  executionsRunning: 0,
  planted: [{ id: uuid(7), backend: "chaos@first" }],
  unreadable: { put: [{ id: UNREADABLE, backend: "chaos@first" }], reported: [UNREADABLE] },
  besideHanging: { unrest: null, planted: [] },
  api: BY_API.evidence,
  leaks: [],
};

/** The evidence with one record replaced. */
function withRecord(id: string, change: Partial<VolumeRecord>): Evidence {
  return { ...GOOD, records: GOOD.records.map((each) => (each.id === id ? { ...each, ...change } : each)) };
}

function withWish(id: string, change: Partial<AcceptedVolume>): Evidence {
  return { ...GOOD, accepted: GOOD.accepted.map((each) => (each.id === id ? { ...each, ...change } : each)) };
}

function withFile(id: string, change: Partial<StoredFile>): Evidence {
  return { ...GOOD, files: GOOD.files.map((each) => (each.id === id ? { ...each, ...change } : each)) };
}

function withApi(change: Partial<ApiEvidence>): Evidence {
  return { ...GOOD, api: { ...BY_API.evidence, ...change } };
}

function withProject(change: Partial<ProjectState>): Evidence {
  return withApi({ projects: BY_API.evidence.projects.map((each) => ({ ...each, ...change })) });
}

const EXTENSION = { id: "e", number: 1, size: 2, counted: true, previous_status: "available", started_at: AT } as const;

it("nothing is wrong where everything went as it should", () => {
  expect(findViolations(GOOD)).toEqual([]);
});

it("the remains of a failed create are not a violation", () => {
  expect(findViolations({ ...GOOD, files: [...GOOD.files, file(FAILED)] })).toEqual([]);
  const suspected: Attempt = {
    host: "chaos@second#second",
    execution: `${FAILED}-a1`,
    started_at: AT,
    outcome: "rescheduled",
    suspected_orphan: true,
  };
  const evidence = withRecord(FAILED, { attempts: { "1": suspected } });
  expect(findViolations({ ...evidence, files: [...GOOD.files, file(FAILED, { backend: "chaos@second" })] })).toEqual(
    [],
  );
});

const SUSPECTED: Attempt = {
  host: "chaos@second#second",
  execution: `${RAW}-a1`,
  started_at: AT,
  ended_at: AT,
  outcome: "rescheduled",
  suspected_orphan: true,
};

it("an available volume may be on a second backend that its ledger suspects", () => {
  const left = file(RAW, { backend: "chaos@second", digest: IMAGE });
  const evidence = withRecord(RAW, { fence: `${RAW}-a2`, attempts: { "1": SUSPECTED, "2": attemptOf(RAW, 2) } });
  expect(findViolations({ ...evidence, files: [...GOOD.files, left] })).toEqual([]);
  const unnamed = withRecord(RAW, {
    fence: `${RAW}-a2`,
    attempts: { "1": { ...SUSPECTED, suspected_orphan: false }, "2": attemptOf(RAW, 2) },
  });
  expect(findViolations({ ...unnamed, files: [...GOOD.files, left] })).not.toEqual([]);
});

it("cached image volumes need no request and no notification, and volumes that were created from them lock them", () => {
  const cached = record(uuid(11), { project_id: IMAGE_CACHE_PROJECT_ID, size: 0 });
  const locks = [lockOn("volume", cached.id, RAW, `${RAW}-a1`)];
  expect(findViolations({ ...GOOD, records: [...GOOD.records, cached], locks })).toEqual([]);
});

it("a deleted volume may be on a backend that its ledger suspected", () => {
  const left = file(DELETED, { backend: "chaos@second" });
  const evidence = withWish(DELETED, { suspectedOn: ["chaos@second"] });
  expect(findViolations({ ...evidence, files: [...GOOD.files, left] })).toEqual([]);
  expect(findViolations({ ...GOOD, files: [...GOOD.files, left] })).not.toEqual([]);
});

it("an extension may have failed after its work, and the audit then corrects the project's sum", () => {
  const failed = { ...EXTENSION, outcome: "failed", error: "Refused", cause: "full" } as const;
  const id = BY_API.record.id;
  const evidence = {
    ...withRecord(id, { status: "error_extending", extension: failed }),
    accepted: GOOD.accepted.map((each) => (each.id === id ? { ...each, extendedTo: 2 } : each)),
    files: GOOD.files.map((each) => (each.id === id ? { ...each, sizeBytes: 2 * GIB } : each)),
  };
  const { api } = withProject({ settled: { ...COUNTED, gigabytes: 3 } });
  expect(findViolations({ ...evidence, api: { ...api, corrections: 1 } })).toEqual([]);
});

it("a status that an operator has set stays, and needs neither a cause nor a notification", () => {
  expect(findViolations({ ...withWish(RAW, { resetTo: "available" }), told: GOOD.told.slice(1) })).toEqual([]);
  const evidence = withWish(RAW, { resetTo: "error" });
  const records = withRecord(RAW, { status: "error", reset_at: AT }).records;
  expect(findViolations({ ...evidence, records })).toEqual([]);
});

it("a list may have a record that another program has made", () => {
  const records = withRecord(RAW, { project_id: "small" }).records;
  const listed = { kind: "volume", id: RAW, name: null, createdAt: AT };
  const { api } = withProject({ entries: [...(BY_API.evidence.projects[0]?.entries ?? []), listed] });
  expect(findViolations({ ...GOOD, records, api })).toEqual([]);
});

it("a snapshot that was deleted through the API is gone", () => {
  const snapshots = [{ name: "two", project: "small", deletion: "accepted" } as const];
  const [project] = BY_API.evidence.projects;
  const counted = { volumes: 1, gigabytes: 1, snapshots: 0 };
  const entries = project?.entries.filter(({ kind }) => kind === "volume") ?? [];
  const { api } = withProject({ settled: counted, audited: counted, entries });
  expect(
    findViolations({
      ...GOOD,
      snapshots: [SNAPSHOT_RECORD],
      files: GOOD.files.filter(({ id }) => id !== BY_API.snapshot.id),
      api: { ...api, snapshots },
    }),
  ).toEqual([]);
});

const CLAIM = { attempt: 1, size: 1, claimed_at: AT };
const TAMPERED: [string, Evidence, string, RegExp][] = [
  [
    "a token is stored",
    { ...GOOD, leaks: ["table Volumes"] },
    "no token is kept, sent or logged",
    /token of a request/,
  ],
  [
    "another project's volume is available",
    withWish(IMAGED, { foreign: true }),
    "no project reads another's source",
    /it is available, and its image belongs to another project/,
  ],
  [
    "another project's bytes lie on a backend",
    { ...withWish(FAILED, { foreign: true }), files: [...GOOD.files, file(FAILED)] },
    "no project reads another's source",
    /chaos@first holds it/,
  ],
  [
    "the audit leaves an old orphan",
    { ...GOOD, files: [...GOOD.files, file(uuid(7))] },
    "the audit removes what no record claims",
    /is two days old, and is still on chaos@first/,
  ],
  [
    "the work on other backends stood still while one hung",
    { ...GOOD, besideHanging: { unrest: "inFlow 2", planted: [] } },
    "a backend that hangs holds up nothing else",
    /not at rest while a backend hung: inFlow 2/,
  ],
  [
    "the audit stood still while a backend hung",
    { ...GOOD, besideHanging: { unrest: null, planted: [{ id: uuid(7), backend: "chaos@first" }] } },
    "a backend that hangs holds up nothing else",
    /no audit has removed it from chaos@first/,
  ],
  [
    "no audit has reported a record that cannot be read",
    { ...GOOD, unreadable: { ...GOOD.unreadable, reported: [] } },
    "the audit reports records that cannot be read",
    /no audit has reported it/,
  ],
  [
    "the audit has removed a volume whose record cannot be read",
    { ...GOOD, files: GOOD.files.filter(({ id }) => id !== UNREADABLE) },
    "the audit reports records that cannot be read",
    /chaos@first does not hold it any more/,
  ],
  [
    "two attempts overlap",
    withRecord(RAW, {
      fence: `${RAW}-a2`,
      attempts: {
        "1": { ...attemptOf(RAW, 1), outcome: "rescheduled", ended_at: "2026-01-01T00:00:09.000Z" },
        "2": attemptOf(RAW, 2),
      },
    }),
    "one owner at a time",
    /attempt 2 began before attempt 1 had ended/,
  ],
  [
    "a volume belongs to an attempt that is over",
    withRecord(RAW, { fence: `${RAW}-a2` }),
    "one owner at a time",
    new RegExp(`it belongs to ${RAW}-a2 on ${FIRST}, its last attempt is ${RAW}-a1`),
  ],
  ["a message is left", { ...GOOD, messagesLeft: 2 }, "at rest", /2 messages are left/],
  ["an execution runs", { ...GOOD, executionsRunning: 1 }, "at rest", /1 executions run/],
  ["a claim is open", { ...GOOD, backends: [{ ...BACKEND, claims: { [RAW]: CLAIM } }] }, "at rest", /claim .* is open/],
  ["a volume is stuck", withRecord(RAW, { status: "creating", phase: "creating" }), "at rest", /it is creating/],
  ["a deadline is left", withRecord(RAW, { deadline: AT }), "at rest", /with the deadline/],
  ["a volume stays creating", withRecord(RAW, { status: "creating" }), "every volume is decided", /it is creating/],
  ["a deletion is half done", withRecord(RAW, { status: "deleting" }), "every volume is decided", /it is deleting/],
  [
    "a record is gone without a request",
    { ...GOOD, records: GOOD.records.slice(1) },
    "every volume is decided",
    /its record is gone, and its deletion was not asked for/,
  ],
  [
    "a record is gone whose deletion was refused",
    { ...withWish(DELETED, { deletion: "refused" }) },
    "every volume is decided",
    /its deletion was refused/,
  ],
  [
    "a deleted volume is there",
    withWish(RAW, { deletion: "accepted" }),
    "every volume is decided",
    /its deletion was accepted, and it is available/,
  ],
  [
    "an error has no fault",
    withRecord(FAILED, { fault: null }),
    "every volume is decided",
    /its record does not say why/,
  ],
  [
    "an error has no cause",
    withRecord(FAILED, { fault: { ...FAULT, cause: "" } }),
    "every volume is decided",
    /its record does not say why/,
  ],
  [
    "a spoiled message made a volume",
    withWish(RAW, { spoiled: true }),
    "every volume is decided",
    /its message could not be read/,
  ],
  [
    "the ledger is not closed",
    withRecord(RAW, { attempts: { "1": { host: FIRST, execution: "x", started_at: AT, outcome: "running" } } }),
    "every volume is decided",
    /attempt 1 is running/,
  ],
  [
    "there is a record without a request",
    { ...GOOD, records: [...GOOD.records, record(uuid(9), { host: null })] },
    "every volume is decided",
    /a record of a volume that was not requested/,
  ],
  [
    "an available volume has no file",
    { ...GOOD, files: GOOD.files.slice(1) },
    "one volume on one backend, with its bytes",
    /0 backends hold it: none/,
  ],
  [
    "a volume is on two backends",
    { ...GOOD, files: [...GOOD.files, file(RAW, { backend: "chaos@second" })] },
    "one volume on one backend, with its bytes",
    /2 backends hold it: chaos@first, chaos@second/,
  ],
  [
    "a volume is elsewhere than its record says",
    withFile(RAW, { backend: "chaos@second" }),
    "one volume on one backend, with its bytes",
    /its record says chaos@first#first, and it is on chaos@second/,
  ],
  [
    "an available volume is half-made",
    withFile(RAW, { partial: true }),
    "one volume on one backend, with its bytes",
    /half-made on chaos@first/,
  ],
  [
    "a volume has the wrong size",
    withFile(RAW, { sizeBytes: GIB - 1 }),
    "one volume on one backend, with its bytes",
    /bytes, not 1 GiB/,
  ],
  [
    "an empty volume is not empty",
    withFile(RAW, { digest: IMAGE }),
    "one volume on one backend, with its bytes",
    /not those of its empty beginning/,
  ],
  [
    "an image volume lacks its image",
    withFile(IMAGED, { digest: EMPTY }),
    "one volume on one backend, with its bytes",
    /not those of its image/,
  ],
  [
    "a deleted volume's file is there",
    { ...GOOD, files: [...GOOD.files, file(DELETED)] },
    "nothing on a backend without a record",
    /there is no record of it/,
  ],
  [
    "an earlier attempt left a file unnamed",
    { ...GOOD, files: [...GOOD.files, file(FAILED, { backend: "chaos@second" })] },
    "nothing on a backend without a record",
    /does not say so/,
  ],
  [
    "a snapshot's record is gone",
    { ...GOOD, snapshots: [] },
    "snapshots are whole",
    /the snapshot was taken, and is gone/,
  ],
  [
    "a snapshot is not on its host",
    withFile(SNAPSHOT, { backend: "chaos@second" }),
    "snapshots are whole",
    /and on chaos@second/,
  ],
  [
    "a snapshot has other bytes",
    withFile(SNAPSHOT, { digest: EMPTY }),
    "snapshots are whole",
    /not those of its volume/,
  ],
  [
    "there is a snapshot without a request",
    { ...GOOD, files: [...GOOD.files, file(uuid(10), { what: "snapshot" })] },
    "snapshots are whole",
    /a snapshot that was not requested/,
  ],
  [
    "a create that has ended has left its lock on its source",
    { ...GOOD, locks: GOOD.snapshots.map(({ id }) => lockOn("snapshot", id, RAW, `${RAW}-a1`)) },
    "no lock is left behind",
    /it is locked by .*-a1 of .*, which has ended/,
  ],
  [
    "a snapshot that is gone has left its lock on its volume",
    { ...GOOD, locks: GOOD.records.map(({ id }) => lockOn("volume", id, uuid(9), "snapshot")) },
    "no lock is left behind",
    /it is locked by snapshot of .*, which has ended/,
  ],
  [
    "allocated capacity was lost",
    { ...GOOD, backends: [{ ...BACKEND, allocated_capacity_gb: 2 }] },
    "capacity adds up",
    /2 GiB are counted as allocated, and the volumes there have 4 GiB/,
  ],
  [
    "provisioned capacity was counted twice",
    { ...GOOD, backends: [{ ...BACKEND, provisioned_capacity_gb: 5 }] },
    "capacity adds up",
    /5 GiB are counted as provisioned/,
  ],
  ["a host does not exist", withRecord(RAW, { host: "a@b#c" }), "capacity adds up", /on a@b#c, which no backend is/],
  [
    "create.end was never sent",
    { ...GOOD, told: [end(RAW)] },
    "create.end after available",
    /volume.create.end was not sent/,
  ],
  [
    "create.end came before the record said so",
    { ...GOOD, told: [end(RAW, { statusThen: "creating" }), end(IMAGED)] },
    "create.end after available",
    /sent while it was creating/,
  ],
  [
    "a repeat has another message id",
    { ...GOOD, told: [...GOOD.told, end(RAW, { messageId: "other" })] },
    "create.end after available",
    /under 2 message ids/,
  ],
  [
    "a bad message is lost",
    { ...GOOD, deadLetters: [] },
    "dead letters explain the rest",
    /a message that is not valid JSON is not among the dead letters/,
  ],
  [
    "a dead letter has no reason",
    { ...GOOD, deadLetters: [{ body: BAD, reason: "" }] },
    "dead letters explain the rest",
    /does not say why/,
  ],
  [
    "a dead letter belongs to no message",
    { ...GOOD, deadLetters: [...GOOD.deadLetters, { body: "{}", reason: "why" }] },
    "dead letters explain the rest",
    /of no message that was sent/,
  ],
  [
    "a volume waits whose message is dead",
    {
      ...withRecord(RAW, { status: "creating" }),
      deadLetters: [...GOOD.deadLetters, { body: RAW, reason: "received too often" }],
    },
    "dead letters explain the rest",
    /its message is among the dead letters, and it is creating/,
  ],
  [
    "a request whose answer was lost has made two volumes",
    {
      ...GOOD,
      records: [...GOOD.records, record(uuid(22), { display_name: "one", project_id: "small" })],
    },
    "one volume for each request",
    /its request has made 2 volumes/,
  ],
  [
    "the answers to one request name two volumes",
    withApi({ creates: [{ ...CREATE, ids: [uuid(20), uuid(22)] }] }),
    "one volume for each request",
    /its answers name 2 volumes/,
  ],
  [
    "an answer names another volume than the record",
    withApi({ creates: [{ ...CREATE, ids: [uuid(22)] }] }),
    "one volume for each request",
    /its answer names volume .* and its record is that of/,
  ],
  [
    "a refused create has made a volume",
    withApi({ creates: [{ ...CREATE, ids: [], end: "refused by the quota" }] }),
    "one volume for each request",
    /refused by the quota, and it has a record/,
  ],
  [
    "a deletion gives its quota back twice",
    withProject({ settled: { ...COUNTED, volumes: 0 } }),
    "quotas count what exists",
    /0 volumes are counted before the audit, and 1 exist/,
  ],
  [
    "a create that was repeated counts twice",
    withProject({ settled: { ...COUNTED, gigabytes: 3 } }),
    "quotas count what exists",
    /3 gigabytes are counted before the audit, and 2 exist/,
  ],
  [
    "the audit counts wrong",
    withProject({ audited: { ...COUNTED, snapshots: 2 } }),
    "quotas count what exists",
    /2 snapshots are counted, and 1 exist/,
  ],
  [
    "a reservation is never settled",
    withProject({ reservations: ["volume:x"] }),
    "quotas count what exists",
    /the reservation of volume:x is left/,
  ],
  [
    "an audit during the run has hidden a wrong sum",
    withApi({ corrections: 1 }),
    "quotas count what exists",
    /they have corrected 1 sums, and 0 extensions have failed/,
  ],
  ["a project has no counter", withApi({ projects: [] }), "quotas count what exists", /it has volumes, and no counter/],
  [
    "a project has more than its limit",
    withProject({ limits: { volumes: 0, gigabytes: -1, snapshots: -1 } }),
    "no project exceeds its limit",
    /it has 1 volumes, and its limit is 0/,
  ],
  [
    "a create is refused while there is room",
    withProject({ limits: { volumes: 2, gigabytes: -1, snapshots: -1 } }),
    "no project exceeds its limit",
    /it was refused, and small has 1 volumes/,
  ],
  [
    "a list lacks a volume",
    withProject({ entries: [] }),
    "lists have what exists",
    /its list does not have volume .* with the name one/,
  ],
  [
    "a list has an entry without a record",
    withProject({
      entries: [...(BY_API.evidence.projects[0]?.entries ?? []), { kind: "volume", id: RAW, name: "x", createdAt: AT }],
    }),
    "lists have what exists",
    /its list has volume .* with the name x, and no record is so/,
  ],
  [
    "a volume was not listed while it was there",
    withApi({ readProblems: [{ subject: RAW, message: "the list does not have it" }] }),
    "reads hold while everything changes",
    /the list does not have it/,
  ],
  [
    "a request fails for a reason of its own",
    withApi({ failures: [{ request: "GET /volumes", cause: "500 TypeError: x" }] }),
    "only injected faults fail a request",
    /500 TypeError: x, which no injected fault explains/,
  ],
  [
    "an accepted snapshot is gone",
    { ...GOOD, snapshots: [SNAPSHOT_RECORD] },
    "snapshots are whole",
    /the snapshot was accepted, and is gone/,
  ],
  [
    "a snapshot through the API has no file",
    { ...GOOD, files: GOOD.files.filter(({ id }) => id !== BY_API.snapshot.id) },
    "snapshots are whole",
    /the snapshot is available on .*, and 0 files are there/,
  ],
  [
    "a deleted snapshot is there",
    withApi({ snapshots: [{ name: "two", project: "small", deletion: "accepted" }] }),
    "snapshots are whole",
    /the snapshot is available, and its deletion was accepted/,
  ],
  [
    "a snapshot is stuck",
    { ...GOOD, snapshots: GOOD.snapshots.map((each) => ({ ...each, status: "creating", deadline: AT })) },
    "at rest",
    /the snapshot is creating, with the deadline/,
  ],
  [
    "a volume whose cast never left is available",
    withWish(RAW, { abandoned: true }),
    "every volume is decided",
    /its cast never reached the queue/,
  ],
  [
    "an extension was accepted and never made",
    withWish(RAW, { extendedTo: 2 }),
    "every volume is decided",
    /its extension was accepted, and has not ended/,
  ],
  [
    "an extended volume has another size",
    {
      ...withRecord(RAW, { extension: { ...EXTENSION, outcome: "extended" } }),
      accepted: withWish(RAW, { extendedTo: 2 }).accepted,
    },
    "every volume is decided",
    /its extension to 2 GiB has extended, and it has 1 GiB/,
  ],
  [
    "an extension did not make the file larger",
    {
      ...withRecord(RAW, { extension: { ...EXTENSION, outcome: "extended" }, size: 2 }),
      accepted: withWish(RAW, { extendedTo: 2 }).accepted,
    },
    "one volume on one backend, with its bytes",
    /bytes, not 2 GiB/,
  ],
  [
    "a status that an operator has set did not stay",
    withWish(RAW, { resetTo: "error" }),
    "every volume is decided",
    /an operator has set error, and it is available/,
  ],
];

describe("a violation is found where", () => {
  it.each(TAMPERED)("%s", (_what, evidence, check, message) => {
    const found = findViolations(evidence).filter((violation) => violation.check === check);
    expect(found.map(({ message: each }) => each)).toContainEqual(expect.stringMatching(message));
  });

  it("every check is among these", () => {
    expect(new Set(TAMPERED.map(([, , check]) => check))).toEqual(new Set(Object.keys(CHECKS)));
  });
});
