import fc from "fast-check";
import type { WorkStarter } from "../../core/api/dependencies.ts";
import { readMessage, receiveMessage } from "../../core/scheduling/receive-message.ts";
import { auditProjects, type ProjectsAudit } from "../../core/audit/audit-projects.ts";
import { createRawVolume } from "../../core/workflow/create-raw-volume.ts";
import {
  createSnapshot,
  type CreateSnapshotDependencies,
  CreateSnapshotInputSchema,
} from "../../core/snapshots/create-snapshot.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { deleteSnapshot, type DeleteSnapshotDependencies } from "../../core/snapshots/delete-snapshot.ts";
import { deleteVolume, type DeleteVolumeDependencies } from "../../core/volumes/delete-volume.ts";
import {
  extendVolume,
  type ExtendVolumeDependencies,
  ExtendVolumeInputSchema,
} from "../../core/volumes/extend-volume.ts";
import { membershipOf } from "../../core/volumes/leave-project.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { FUNCTIONS, type FunctionName } from "../../core/settings/functions.ts";
import { SNAPSHOT_LOCK } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import { Api, CALLERS, idOf } from "./api.ts";
import { World } from "./fakes/world.ts";
import { type Gate, Interleaver } from "./interleaver.ts";
import { type ProjectsAtRest, projectProblems, usageOfRecords } from "./project-problems.ts";
import { plainVolumeType } from "./records.ts";

/**
 * Requests to the Block Storage API, the functions that they start, sweeps and audits, interleaved call by call, with stores that fail and
 * functions that die. At rest the quotas, the lists and the records of every project must agree.
 */

const HOST = "node@first#pool";
const TOKENS = ["member", "other"] as const;
const KEYS = [undefined, undefined, "key-one", "key-two"] as const;
const NAMES = ["one", "two", null] as const;
const RESETS = ["available", "error", "creating", "deleting", "error_deleting", "extending"] as const;
const QUOTAS = ["volumes", "gigabytes", "snapshots", "volumes_fast", "gigabytes_fast", "snapshots_fast"] as const;
const LIMITS = [0, 1, 3, 6, -1] as const;
const UNBOUNDED = 1_000_000;

/** A failed call: refused, done with its answer lost, or done some time after it has failed. */
const STORE_FAULTS = ["refused", "answer lost", "late"] as const;
type StoreFault = (typeof STORE_FAULTS)[number];

/** The longest that a failed request may still have its effect. */
const LATEST_EFFECT_SECONDS = 30;

/** One step of a run: its kind and two numbers by which it chooses. */
export type Step = readonly [kind: keyof typeof STEPS, one: number, other: number];

/** Every kind of step, with its weight. Calls going ahead are the most frequent: they are what interleaves. */
const STEPS = {
  advance: 60,
  create: 8,
  delete: 3,
  cascade: 2,
  forceDelete: 1,
  extend: 4,
  snapshot: 4,
  deleteSnapshot: 2,
  rename: 3,
  renameSnapshot: 1,
  retype: 3,
  reset: 1,
  resetSnapshot: 1,
  limit: 2,
  schedule: 8,
  work: 8,
  sweep: 2,
  audit: 1,
  pass: 2,
  fault: 5,
  kill: 2,
} as const;

/** Runs of steps; `calm` ones without any failure. */
export function stepsArbitrary(maxLength: number, { calm = false } = {}): fc.Arbitrary<Step[]> {
  const wanted = Object.entries(STEPS).filter(([kind]) => !calm || !["fault", "kill", "pass"].includes(kind));
  const kinds = wanted.map(([kind, weight]) => ({
    weight,
    arbitrary: fc.constant(kind as keyof typeof STEPS),
  }));
  return fc.array(fc.tuple(fc.oneof(...kinds), fc.nat(59), fc.nat(59)), { maxLength, size: "max" });
}

/** The functions that the API starts. */
type StartedFunction = Parameters<WorkStarter["start"]>[0];

type WorkDependencies = DeleteVolumeDependencies &
  ExtendVolumeDependencies &
  CreateSnapshotDependencies &
  DeleteSnapshotDependencies;

/** The API, its functions and its nets over a world in memory. */
export class ApiSite {
  readonly world = new World();
  /** Whether anything has failed, died or come late: only then may the audit have to count again. */
  disturbed = false;
  /** Answers with a status of 500 that no fault explains. */
  readonly failures: unknown[] = [];
  readonly #interleaver = new Interleaver();
  readonly #volumeIds: string[] = [];
  readonly #snapshotIds: string[] = [];
  readonly #idsOfKeys = new Map<string, Set<string>>();
  readonly #events: [StartedFunction, Record<string, unknown>][] = [];
  /** When the function behind an action is ended by its time-out. */
  readonly #timeouts = new Map<string, Date>();
  /** The highest limit that ever held, by project and resource. */
  readonly #highest = new Map<string, number>();
  #late: (() => Promise<unknown>)[] = [];
  #fault: StoreFault | undefined;
  #actions = 0;
  #ids = 0;

  constructor() {
    this.world.addBackend(HOST, { total: 1000 });
    const types = [plainVolumeType({ id: idOf(901), name: "fast" }), plainVolumeType({ id: idOf(902), name: "slow" })];
    types.forEach((type) => this.world.fakes.volumeTypes.records.set(type.id, type));
  }

  /** Begins with volumes of both projects that are available, and a snapshot. */
  async begin(): Promise<void> {
    for (const [index, token] of ["member", "member", "other"].entries()) {
      await this.#create(token, index, 4 * index);
      await this.#interleaver.finish();
      await this.#schedule(index);
      await this.#interleaver.finish();
    }
    await this.step(["snapshot", 0, 0]);
    await this.#interleaver.finish();
    await this.#work(0);
    await this.#interleaver.finish();
  }

  /** Makes one step. */
  async step([kind, one, other]: Step): Promise<void> {
    const token = pick(TOKENS, one);
    const volume = pick(this.#volumeIds, other);
    const snapshot = pick(this.#snapshotIds, other);
    const act = (body: Record<string, unknown>, as: string = this.#ownerOf(volume)) =>
      this.#ask(`POST /volumes/${volume}/action`, { token: as, body });
    switch (kind) {
      case "advance":
        for (let turn = 0; turn <= other % 8; turn += 1) {
          await this.#interleaver.advance(one);
        }
        return;
      case "create":
        return this.#create(token, one, other);
      case "delete":
        return this.#ask(`DELETE /volumes/${volume}`, { token: this.#ownerOf(volume) });
      case "cascade":
        return this.#ask(`DELETE /volumes/${volume}?cascade=true`, { token: this.#ownerOf(volume) });
      case "forceDelete":
        return act({ "os-force_delete": {} }, "admin");
      case "extend":
        return act({ "os-extend": { new_size: 2 + (one % 3) } });
      case "snapshot":
        return this.#ask("POST /snapshots", {
          token: this.#ownerOf(volume),
          body: { snapshot: { volume_id: volume, name: pick(NAMES, one) } },
        });
      case "deleteSnapshot":
        return this.#ask(`DELETE /snapshots/${snapshot}`, { token: this.#ownerOf(snapshot) });
      case "rename":
        return this.#ask(`PUT /volumes/${volume}`, {
          token: this.#ownerOf(volume),
          body: { volume: { name: pick(NAMES, one), metadata: { key: String(one) } } },
        });
      case "renameSnapshot":
        return this.#ask(`PUT /snapshots/${snapshot}`, {
          token: this.#ownerOf(snapshot),
          body: { snapshot: { name: pick(NAMES, one) } },
        });
      case "retype":
        return act({ "os-retype": { new_type: pick(["fast", "slow"], one) } });
      case "reset":
        return act({ "os-reset_status": { status: pick(RESETS, one) } }, "admin");
      case "resetSnapshot":
        return this.#ask(`POST /snapshots/${snapshot}/action`, {
          token: "admin",
          body: { "os-reset_status": { status: pick(["error", "error_deleting"], one) } },
        });
      case "limit":
        return this.#limit(token, one, other);
      case "schedule":
        return this.#schedule(other);
      case "work":
        return this.#work(other);
      case "sweep":
        return this.#begin("SweepOverdueVolumes", (gate) => sweepOverdueVolumes(this.#deps(gate), () => 30_000));
      case "audit":
        return this.#begin("AuditBackends", (gate) => auditProjects(this.#deps(gate)));
      case "pass":
        return this.#pass(pick([1, 20, 100, 1000, 4000], one));
      case "fault":
        this.#fault = pick(STORE_FAULTS, one);
        return;
      case "kill":
        this.disturbed ||= this.#interleaver.waiting > 0;
        this.#interleaver.kill(one);
        return;
      default:
        return kind satisfies never;
    }
  }

  /** Everything that is under way ends; then only the nets act, and undisturbed. Returns what the audits did. */
  async rest(): Promise<ProjectsAudit[]> {
    this.#fault = undefined;
    await this.#interleaver.finish();
    await this.#runLate();
    const audits: ProjectsAudit[] = [];
    for (let round = 0; round < 6; round += 1) {
      await this.#pass(4000);
      const deps = this.#deps((port) => port);
      await sweepOverdueVolumes(deps);
      audits.push(await auditProjects(deps));
    }
    return audits;
  }

  /** Violations that hold at any time, as lines: a project has more than every limit that ever held allows. */
  excesses(): string[] {
    return [...usageOfRecords(this.#projects())].flatMap(([projectId, usage]) =>
      Object.entries(usage).flatMap(([resource, amount]) => {
        const highest = this.#highest.get(`${projectId} ${resource}`) ?? UNBOUNDED;
        return amount > highest
          ? [`${projectId} has ${amount} of ${resource}, and the limit was never over ${highest}`]
          : [];
      }),
    );
  }

  /** Violations of the state at rest, as lines. */
  problems(): string[] {
    return [
      ...projectProblems(this.#projects()),
      ...this.#recordProblems(),
      ...this.#capacityProblems(),
      ...[...this.#idsOfKeys].flatMap(([key, ids]) => (ids.size > 1 ? [`${key} made ${[...ids].join()}`] : [])),
      ...this.failures.map((failure) => `a request failed by itself: ${String(failure)}`),
    ];
  }

  #projects(): ProjectsAtRest {
    const { volumes, snapshots, projects } = this.world.fakes;
    return {
      volumes: [...volumes.records.values()],
      snapshots: [...snapshots.records.values()],
      entries: [...projects.entries.values()],
      quotas: [...projects.quotas].map(([projectId, quota]) => ({ projectId, ...quota })),
    };
  }

  #recordProblems(): string[] {
    const { volumes, snapshots, locks } = this.world.fakes;
    return [
      ...[...volumes.records.values()].flatMap((volume) => {
        const { id, status, deadline, reset_at: resetAt } = volume;
        const isStuck = isInFlow(volume) || deadline !== null || (resetAt === undefined && !AT_REST.includes(status));
        const stale = Object.entries(locks.on(id)).filter(
          ([holder, value]) => value === SNAPSHOT_LOCK && !snapshots.records.has(holder),
        );
        return [
          ...(isStuck ? [`volume ${id} is ${status} for ever`] : []),
          ...stale.map(([holder]) => `volume ${id} is locked by the snapshot ${holder}, which is gone`),
        ];
      }),
      ...[...snapshots.records.values()].flatMap(({ id, status, volume_id: volumeId }) => [
        ...(["creating", "deleting"].includes(status) ? [`snapshot ${id} is ${status} for ever`] : []),
        ...(volumes.records.has(volumeId) || status !== "available" ? [] : [`snapshot ${id} has lost its volume`]),
      ]),
    ];
  }

  #capacityProblems(): string[] {
    const { backends, volumes } = this.world.fakes;
    return [...backends.records.keys()].flatMap((host) => {
      const { allocated_capacity_gb: allocated, claims } = backends.seen(host);
      const held = [...volumes.records.values()].filter((each) => each.host === host);
      const size = held.reduce((sum, each) => sum + each.size, 0);
      return [
        ...(allocated === size ? [] : [`${host} counts ${allocated} GiB for volumes of ${size} GiB`]),
        ...Object.keys(claims).map((id) => `${host} has an open claim of ${id}`),
      ];
    });
  }

  async #create(token: string, one: number, other: number): Promise<void> {
    const key = pick(KEYS, other);
    // A key stands for one request.
    const [size, type] = key === undefined ? [1 + (one % 3), pick([undefined, "fast"], one)] : [1, undefined];
    const volume = { size, ...(type !== undefined && { volume_type: type }), name: key ?? pick(NAMES, one) };
    const headers = key === undefined ? {} : { "idempotency-key": key };
    await this.#ask("POST /volumes", { token, body: { volume }, headers });
  }

  async #limit(token: string, one: number, other: number): Promise<void> {
    const { projectId } = CALLERS[token] ?? { projectId: "" };
    const resource = pick(QUOTAS, other);
    const limit = pick(LIMITS, one);
    const stored = resource.replace("_fast", `_${idOf(901)}`);
    const key = `${projectId} ${stored}`;
    const defaults: Readonly<Record<string, number>> = { volumes: 10, gigabytes: 1000, snapshots: 10 };
    const before = this.#highest.get(key) ?? defaults[stored] ?? UNBOUNDED;
    this.#highest.set(key, Math.max(before, limit === -1 ? UNBOUNDED : limit));
    await this.#ask(`PUT /os-quota-sets/${projectId}`, { token: "admin", body: { quota_set: { [resource]: limit } } });
  }

  #ask(what: string, asked: NonNullable<Parameters<Api["ask"]>[1]>): Promise<void> {
    return this.#begin("BlockStorageApi", async (gate) => {
      const api = new Api(this.world);
      const deps = this.#deps(gate);
      const start = async (name: StartedFunction, event: Record<string, unknown>) =>
        void this.#events.push([name, event]);
      Object.assign(api.deps, {
        ...deps,
        imagesFor: () => undefined,
        work: gate(this.#faulty({ start })),
        newId: () => idOf((this.#ids += 1)),
      });
      const { status, body } = await api.ask(what, asked);
      if (status === 500 && !this.disturbed) {
        this.failures.push(...api.failures);
      }
      this.#note(what, asked, status, body);
    });
  }

  /** Remembers the ids that answers name, and which key has made which volume. */
  #note(
    what: string,
    { token = "", headers = {} }: NonNullable<Parameters<Api["ask"]>[1]>,
    status: number,
    body: unknown,
  ): void {
    const { volume, snapshot } = (body ?? {}) as { volume?: { id: string }; snapshot?: { id: string } };
    const key = headers["idempotency-key"];
    if (what === "POST /volumes" && status === 202 && volume !== undefined) {
      this.#volumeIds.push(volume.id);
      if (key !== undefined) {
        const ids = this.#idsOfKeys.get(`${token} ${key}`) ?? new Set();
        this.#idsOfKeys.set(`${token} ${key}`, ids.add(volume.id));
      }
    }
    if (what === "POST /snapshots" && status === 202 && snapshot !== undefined) {
      this.#snapshotIds.push(snapshot.id);
    }
  }

  /** A message is delivered, and the execution that it starts does its work: again and late, like every delivery. */
  async #schedule(choice: number): Promise<void> {
    const cast = pick(this.world.casts, choice);
    if (cast === undefined) {
      return;
    }
    const body = JSON.stringify(cast);
    await this.#begin("ScheduleVolume", async (gate) => {
      const deps = this.#deps(gate);
      const volumeId = String(cast["volume_id"]);
      const records = await deps.volumes.getMany([volumeId]);
      await receiveMessage(deps, readMessage(body), records.get(volumeId));
      for (const input of [...this.world.executions.values()].filter(({ volume_id: id }) => id === volumeId)) {
        await createRawVolume(deps, input, { checkpoint: null, remainingTimeMs: () => 30_000 });
        const spec = { type: "raw", status: "creating", volume_id: volumeId, volume_name: "", volume_size: 1 } as const;
        const creation = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;
        await createVolumeOnFinish(deps, { ...input, volume_spec: spec, creation });
      }
    });
  }

  /** A function that was started runs: again and late, like every asynchronous event. */
  async #work(choice: number): Promise<void> {
    const event = pick(this.#events, choice);
    if (event !== undefined) {
      const [name, input] = event;
      await this.#begin(name, (gate) => this.#run(name, input, this.#deps(gate)));
    }
  }

  #run(name: StartedFunction, input: Record<string, unknown>, deps: WorkDependencies): Promise<unknown> {
    switch (name) {
      case "DeleteVolume":
        return deleteVolume(deps, String(input["volume_id"]));
      case "ExtendVolume":
        return extendVolume(deps, parseOrThrow(ExtendVolumeInputSchema, input, "request"));
      case "CreateSnapshot":
        return createSnapshot(deps, parseOrThrow(CreateSnapshotInputSchema, input, "request"));
      case "DeleteSnapshot":
        return deleteSnapshot(deps, String(input["snapshot_id"]));
      default:
        return name satisfies never;
    }
  }

  async #begin(name: FunctionName, action: (gate: Gate) => Promise<unknown>): Promise<void> {
    this.#actions += 1;
    const unique = `${name} ${this.#actions}`;
    this.#timeouts.set(unique, new Date(this.world.now.getTime() + FUNCTIONS[name].timeoutSeconds * 1000));
    await this.#interleaver.begin(unique, action);
  }

  /** Time passes: functions end by their time-outs, late effects have come, and the backends report. */
  async #pass(seconds: number): Promise<void> {
    if (seconds > LATEST_EFFECT_SECONDS) {
      await this.#runLate();
    }
    this.world.now = new Date(this.world.now.getTime() + seconds * 1000);
    for (const [name, timeout] of this.#timeouts) {
      if (timeout <= this.world.now) {
        const before = this.#interleaver.waiting;
        this.#interleaver.killAll(name);
        this.disturbed ||= this.#interleaver.waiting < before;
        this.#timeouts.delete(name);
      }
    }
    const { backends } = this.world.fakes;
    for (const host of backends.records.keys()) {
      const {
        allocated_capacity_gb: _a,
        provisioned_capacity_gb: _p,
        claims: _c,
        disabled: _d,
        ...report
      } = backends.seen(host);
      await backends.report({ ...report, reported_at: this.world.now.toISOString() });
    }
  }

  async #runLate(): Promise<void> {
    for (const effect of this.#late.splice(0)) {
      const state = { isOver: false };
      const end = (): void => void (state.isOver = true);
      await this.#interleaver.begin("late effect", () => effect().finally(end));
      // It may make calls of its own, which wait for their turns like all others.
      while (!state.isOver) {
        await this.#interleaver.advance(0);
      }
    }
  }

  /** The dependencies of every function, with their calls gated and failing on order. */
  #deps(gate: Gate) {
    const { deps } = this.world;
    const port = <Port extends object>(each: Port): Port => gate(this.#faulty(each));
    const volumes = port(deps.volumes);
    const projects = port(deps.projects);
    const backends = port(deps.backends);
    return {
      ...deps,
      volumes,
      projects,
      backends,
      candidates: backends,
      snapshots: port(deps.snapshots),
      volumeTypes: port(deps.volumeTypes),
      queue: port(deps.queue),
      workflow: port(deps.workflow),
      notifier: port(deps.notifier),
      membership: membershipOf({ projects, volumes, clock: deps.clock }),
      drivers: { hosts: deps.drivers.hosts, forHost: (host: string) => port(deps.drivers.forHost(host)) },
    };
  }

  /** The next call of any port has the fault that was ordered. */
  #faulty<Port extends object>(each: Port): Port {
    return new Proxy(each, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") {
          return member;
        }
        return (...parameters: unknown[]): unknown => {
          // Calls take time, and no two moments are the same.
          this.world.now = new Date(this.world.now.getTime() + 1);
          const effect = async () => Reflect.apply(member, target, parameters) as unknown;
          const fault = this.#fault;
          this.#fault = undefined;
          return fault === undefined ? Reflect.apply(member, target, parameters) : this.#fail(fault, effect);
        };
      },
    });
  }

  async #fail(fault: StoreFault, effect: () => Promise<unknown>): Promise<never> {
    this.disturbed = true;
    if (fault === "answer lost") {
      await effect();
    } else if (fault === "late") {
      this.#late.push(effect);
    }
    throw Object.assign(new Error(`the store failed: ${fault}`), { name: "ThrottlingException" });
  }

  /** The token of the project that has the record. */
  #ownerOf(id: string | undefined): string {
    const { volumes, snapshots } = this.world.fakes;
    const projectId = (volumes.records.get(id ?? "") ?? snapshots.records.get(id ?? ""))?.project_id;
    return TOKENS.find((token) => CALLERS[token]?.projectId === projectId) ?? "member";
  }
}

const AT_REST: readonly string[] = ["available", "error", "error_extending", "error_deleting"];

function pick<Value>(values: readonly Value[], choice: number): Value {
  return values[choice % Math.max(1, values.length)] as Value;
}
