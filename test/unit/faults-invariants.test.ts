import { beforeEach, describe, expect, it } from "vitest";
import { type BackendRecord, type Fault, fenceOf, type VolumeRecord } from "../../core/records.ts";
import { Account, START } from "../../simulation/account.ts";
import { SECRET } from "../../simulation/identifiers.ts";
import {
  checkInvariants,
  checkTimeOfEnds,
  type Undisturbed,
  UNDECIDED_BOUND_SECONDS,
} from "../../verify/faults/invariants.ts";
import { FIRST_HOST, SECOND_HOST, uuidOf } from "../../simulation/identifiers.ts";
import { CONTEXT, type Scenario } from "../../verify/faults/scenario.ts";
import type { WorkflowInput } from "../../core/requests/messages.ts";
import type { Execution } from "../../simulation/executions.ts";
import { METADATA } from "../../verify/faults/expected.ts";
import { buildNotification, type VolumeEventType } from "../../core/notifications/notifications.ts";
import { queuedVolume } from "../support/records.ts";

/** Each invariant is broken once, in an account that is otherwise as a create leaves it, and has to be found broken. */

const ID = uuidOf(1);
const SCENARIO: Scenario = { name: "by hand", end: "available", makes: "an empty volume", begin: () => [ID] };
const QUEUES = [
  { name: "letters", visibilitySeconds: 30, maxReceiveCount: null, deadLetterQueue: null, consumer: null },
  { name: "casts", visibilitySeconds: 30, maxReceiveCount: 5, deadLetterQueue: "letters", consumer: null },
];
const NOBODY = { request_id: "", user_id: null, project_id: null, is_admin: false, roles: [] };

let account: Account;

/** The volume's record as it is, changed. */
function change(columns: Partial<VolumeRecord>): void {
  const { records } = account.stores.volumes;
  records.set(ID, { ...(records.get(ID) ?? queuedVolume({ id: ID })), ...columns });
}

function changeBackend(columns: Partial<BackendRecord>): void {
  account.stores.backends.records.change(FIRST_HOST, columns);
}

function publish(event: VolumeEventType, attempt = 1): void {
  const volume = account.stores.volumes.records.get(ID) ?? queuedVolume({ id: ID });
  account.published(buildNotification(event, volume, attempt, NOBODY, new Date(START)));
}

/** The one notification of a volume in error. */
function publishErrorAlone(fault: Fault): void {
  const volume = account.stores.volumes.records.get(ID) ?? queuedVolume({ id: ID });
  account.stores.published.length = 0;
  account.published(
    buildNotification("volume.create.error", volume, fault.attempt, NOBODY, new Date(START), { fault }),
  );
}

/** An execution of the volume's attempt. */
function execution(attempt: number): Execution {
  const name = fenceOf(ID, attempt);
  const input = { volume_id: ID, fence: name } as WorkflowInput;
  return { name, input, status: "RUNNING", error: null, cause: null, failures: [] };
}

/** The numbers of the invariants that are found broken. */
function broken(scenario = SCENARIO, undisturbed?: Undisturbed): number[] {
  checkInvariants(account, scenario, [ID], undisturbed);
  return [...new Set(account.violations.map(({ invariant }) => invariant))];
}

beforeEach(() => {
  account = new Account({ definition: { StartAt: "None", States: {} }, queues: QUEUES, rules: [] }, 1);
  account.stores.addBackend(FIRST_HOST, START);
  account.stores.addBackend(SECOND_HOST, START);
  const line = { host: FIRST_HOST, execution: fenceOf(ID, 1), started_at: START };
  change({
    status: "available",
    metadata: METADATA,
    host: FIRST_HOST,
    fence: fenceOf(ID, 1),
    phase: null,
    deadline: null,
    launched_at: START,
    attempts: { 1: { ...line, ended_at: START, outcome: "created" } },
  });
  account.stores.drivers.get(FIRST_HOST)?.volumes.set(ID, { from: "nothing" });
  changeBackend({ allocated_capacity_gb: 1, provisioned_capacity_gb: 1 });
  publish("volume.create.end");
});

it("nothing is wrong with a volume as a create leaves it", () => {
  expect(broken()).toEqual([]);
});

describe("found broken", () => {
  it("a volume that stays in the flow", () => {
    change({ status: "creating" });
    expect(broken()).toContain(1);
  });

  it("a volume that was undecided for longer than the bound", () => {
    const late = account.startMs + (UNDECIDED_BOUND_SECONDS + 10) * 1000;
    account.watch.lives.set(ID, { progressMs: [late], decidedMs: late });
    expect(broken()).toEqual([1]);
  });

  it("a deletion that was asked for and not done", () => {
    change({ delete_requested_at: START });
    expect(broken()).toEqual([1]);
  });

  it("a write by an attempt that does not own the record", async () => {
    const owner = { volumeId: ID, fence: fenceOf(ID, 2), attempt: 2 };
    await account.watch.around("volumes.markBootable", async () => change({ updated_at: START }), [owner]);
    expect(broken()).toEqual([2]);
  });

  it("a write by an execution that does not own the record, whatever fence it names", async () => {
    const owner = { volumeId: ID, fence: fenceOf(ID, 1), attempt: 1 };
    const late = execution(2);
    await account.watch.around("volumes.markBootable", async () => change({ updated_at: START }), [owner], late);
    expect(account.violations).toEqual([
      { invariant: 2, text: `volumes.markBootable by ${late.name} on ${ID}, which belonged to ${fenceOf(ID, 1)}` },
    ]);
  });

  it("a write by an execution on a volume that is not its own, unless it locks its source", async () => {
    const other = uuidOf(9);
    const { records } = account.stores.volumes;
    records.set(other, queuedVolume({ id: other }));
    const write = async () => void records.set(other, queuedVolume({ id: other, updated_at: START }));
    await account.watch.around("volumes.countLock", write, [], execution(1));
    expect(account.violations).toEqual([]);
    await account.watch.around("volumes.markError", write, [], execution(1));
    expect(account.violations).toMatchObject([{ invariant: 2, text: expect.stringContaining("is not its volume") }]);
  });

  it.each(["volumes.countLock", "snapshots.countLock"])(
    "%s of a source of another project, for a caller who is not an administrator",
    async (call) => {
      const writer = (isAdmin: boolean) => {
        const { input, ...others } = execution(1);
        return { ...others, input: { ...input, context: { ...CONTEXT, is_admin: isAdmin } } };
      };
      const lock = (projectId: string) => async () => ({ id: uuidOf(9), project_id: projectId });
      await account.watch.around(call, lock("project"), [], writer(false));
      await account.watch.around(call, lock("another"), [], writer(true));
      expect(account.violations).toEqual([]);
      await account.watch.around(call, lock("another"), [], writer(false));
      expect(account.violations).toMatchObject([{ invariant: 10, text: expect.stringContaining("of another") }]);
    },
  );

  it("a record that comes back into the flow", async () => {
    await account.watch.around("volumes.markError", async () => change({ status: "creating" }), []);
    expect(broken()).toContain(2);
  });

  it("a record in the flow without a deadline, or with one that is later than any bound", async () => {
    const requeue = (deadline: string | null) =>
      account.watch.around("volumes.requeue", async () => change({ status: "creating", deadline }), []);
    const found = () => account.violations.splice(0).map(({ invariant }) => invariant);
    await requeue("2026-01-01T01:20:00.000Z");
    expect(found()).toEqual([]);
    await requeue(null);
    expect(found()).toEqual([1]);
    await requeue("2026-01-02T01:00:00.000Z");
    expect(found()).toEqual([1]);
  });

  it("an available volume that its backend does not have", () => {
    account.stores.drivers.get(FIRST_HOST)?.volumes.clear();
    expect(broken()).toEqual([3, 8]);
  });

  it("a volume on another backend that no ledger names", () => {
    account.stores.drivers.get(SECOND_HOST)?.volumes.set(ID, { from: "nothing" });
    expect(broken()).toEqual([4]);
  });

  it("capacity that does not add up, and a claim that is left open", () => {
    changeBackend({ allocated_capacity_gb: 2 });
    expect(broken()).toEqual([4]);
    account.violations.length = 0;
    changeBackend({ allocated_capacity_gb: 1 });
    changeBackend({ claims: { [ID]: { attempt: 1, size: 1, claimed_at: START } } });
    expect(broken()).toEqual([4]);
  });

  it("an attempt that runs for ever in the ledger", () => {
    change({ attempts: { 1: { host: FIRST_HOST, execution: fenceOf(ID, 1), started_at: START, outcome: "running" } } });
    expect(broken()).toEqual([5]);
  });

  describe("a ledger whose reason", () => {
    const failed = (error: string, cause: string) => {
      const line = { host: FIRST_HOST, execution: fenceOf(ID, 1), started_at: START, ended_at: START };
      const fault = { error, cause, attempt: 1, at: START, attempts: [] };
      change({
        status: "error",
        launched_at: null,
        fault,
        attempts: { 1: { ...line, outcome: "error", error, cause } },
      });
      publishErrorAlone(fault);
      const failures = [
        {
          state: "CreateRawVolume",
          error: "VolumeDriverException",
          cause: JSON.stringify({ errorMessage: "the array is full" }),
        },
      ];
      account.executions.byName.set(fenceOf(ID, 1), { ...execution(1), status: "FAILED", failures });
    };

    it("is that of its execution is right", () => {
      failed("VolumeDriverException", "the array is full");
      expect(broken()).toEqual([]);
    });

    it("names an error that the execution never had", () => {
      failed("ImageTooBig", "the array is full");
      expect(broken()).toEqual([5]);
    });

    it("does not say why no other backend was tried", () => {
      failed("VolumeDriverException", "the array is full");
      account.executions.byName
        .get(fenceOf(ID, 1))
        ?.failures.push({ state: "RescheduleVolume", error: "BackendNotCleared", cause: "still there" });
      expect(broken()).toEqual([5]);
    });

    it("has the cause of something else", () => {
      failed("VolumeDriverException", "no reason");
      expect(broken()).toEqual([5]);
    });
  });

  it("a fault that does not say how an earlier attempt ended", () => {
    const line = { host: FIRST_HOST, execution: fenceOf(ID, 1), started_at: START, ended_at: START };
    const earlier = { ...line, outcome: "rescheduled", error: "VolumeDriverException", cause: "full" } as const;
    const last = { ...line, execution: fenceOf(ID, 2), outcome: "error", error: "ImageTooBig", cause: "" } as const;
    const fault = { error: "ImageTooBig", cause: "", attempt: 2, at: START, attempts: ["attempt 1 on x: Other: full"] };
    change({ status: "error", launched_at: null, fault, fence: fenceOf(ID, 2), attempts: { 1: earlier, 2: last } });
    publishErrorAlone(fault);
    expect(broken()).toEqual([5]);
  });

  describe("a volume in error", () => {
    const inError = (cause: string, isSent: boolean, columns: Partial<VolumeRecord> = {}) => {
      const line = { host: FIRST_HOST, execution: fenceOf(ID, 1), started_at: START, ended_at: START };
      const fault = { error: "ImageTooBig", cause, attempt: 1, at: START, attempts: [] };
      const attempts = { 1: { ...line, outcome: "error" as const, error: "ImageTooBig", cause } };
      change({ status: "error", launched_at: null, fault, attempts, ...columns });
      publishErrorAlone(fault);
      if (!isSent) {
        account.stores.published.length = 0;
      }
    };

    it("with a create.error of its fault is right", () => {
      inError("c".repeat(500), true);
      expect(broken()).toEqual([]);
    });

    it("of which no create.error was sent", () => {
      inError("full", false);
      expect(broken()).toEqual([6]);
    });

    it("without a host of which no create.error was sent, unless a fault of the cell may have prevented it", () => {
      account.stores.drivers.get(FIRST_HOST)?.volumes.clear();
      changeBackend({ allocated_capacity_gb: 0, provisioned_capacity_gb: 0 });
      inError("full", false, { host: null });
      expect(broken()).toEqual([6]);
      account.violations.length = 0;
      expect(broken(SCENARIO, new Map())).toEqual([]);
    });

    it("by another attempt than the one that owns the record", () => {
      inError("full", true, { fence: fenceOf(ID, 2) });
      expect(broken()).toContain(2);
    });

    it("with a cause of more than 500 characters", () => {
      inError("c".repeat(501), true);
      expect(broken()).toEqual([5]);
    });
  });

  it("an available volume without a notification", () => {
    account.stores.published.length = 0;
    expect(broken()).toEqual([6]);
  });

  it("a create.end under another id, or before the volume is available", () => {
    publish("volume.create.end", 2);
    expect(broken()).toEqual([6]);
    account.violations.length = 0;
    account.stores.published.splice(1);
    Object.assign(account.stores.published[0] ?? {}, { statusThen: "creating" });
    expect(broken()).toEqual([6]);
  });

  it("a message that was not processed and is not kept as a dead letter", () => {
    account.queues.accepted.push({ body: JSON.stringify({ volume_id: uuidOf(7) }) });
    expect(broken()).toEqual([7]);
  });

  it("a dead letter that nothing has kept, though its volume is decided", () => {
    const body = JSON.stringify({ volume_id: ID });
    account.watch.lives.set(ID, { progressMs: [], decidedMs: account.startMs });
    account.queues.accepted.push({ body });
    expect(broken()).toEqual([]);
    account.queues.died.add(body);
    expect(broken()).toEqual([7]);
  });

  it("metadata that every run of the same code loses", () => {
    change({ metadata: {} });
    expect(broken()).toEqual([8]);
  });

  it("a created volume of a scenario that does not say what it makes", () => {
    const { makes: _, ...silent } = SCENARIO;
    expect(broken(silent)).toEqual([8]);
  });

  it("content, flag or metadata that are not those of the undisturbed run", () => {
    const record = account.stores.volumes.records.get(ID);
    const undisturbed = (column: Partial<VolumeRecord>, source?: string): Undisturbed =>
      new Map([
        [
          ID,
          {
            record: record === undefined ? undefined : { ...record, ...column },
            content: source === undefined ? { from: "nothing" } : { from: "image", source },
          },
        ],
      ]);
    expect(broken(SCENARIO, undisturbed({}))).toEqual([]);
    expect(broken(SCENARIO, undisturbed({}, "image"))).toEqual([8]);
    account.violations.length = 0;
    expect(broken(SCENARIO, undisturbed({ bootable: true }))).toEqual([8]);
  });

  it("a token in a message", () => {
    account.queues.send(JSON.stringify({ volume_id: ID, context: { auth_token: SECRET } }));
    expect(broken()).toContain(9);
  });

  it("what a project must not get", () => {
    expect(broken({ ...SCENARIO, never: ["available"] })).toEqual([10]);
  });

  it("a create.end that comes later than its bound", () => {
    Object.assign(account.stores.published[0] ?? {}, { atMs: account.startMs + 440_000 });
    checkTimeOfEnds(account, [ID]);
    expect(account.violations).toEqual([]);
    Object.assign(account.stores.published[0] ?? {}, { atMs: account.startMs + 460_000 });
    checkTimeOfEnds(account, [ID]);
    expect(account.violations.map(({ invariant }) => invariant)).toEqual([6]);
  });
});
