import fc from "fast-check";
import { VolumeBackendAPIException } from "../../core/errors.ts";
import { parseCreateVolumeMessage, type WorkflowInput } from "../../core/requests/messages.ts";
import type { BackendRepository, VolumeRepository } from "../../core/ports.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { isInFlow } from "../../core/volume-lifecycle.ts";
import { createRawVolume } from "../../core/workflow/create-raw-volume.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { deleteVolume } from "../../core/volumes/delete-volume.ts";
import { errorOutFailedExecution } from "../../core/nets/error-out-failed-execution.ts";
import { errorOutVolume } from "../../core/workflow/error-out-volume.ts";
import { readMessage, receiveMessage } from "../../core/scheduling/receive-message.ts";
import { rescheduleVolume } from "../../core/workflow/reschedule-volume.ts";
import { sweepOverdueVolumes } from "../../core/nets/sweep-overdue-volumes.ts";
import { PHASE_BOUND_SECONDS } from "../../core/settings/time-bounds.ts";
import { World } from "./fakes/world.ts";
import { type Gate, Interleaver } from "./interleaver.ts";
import { backendReport, queuedVolume } from "./records.ts";

/**
 * Creates, deliveries, deletions, reschedules, sweeps and deaths in any order and interleaved call by call, as commands that fast-check
 * shrinks. The outcome of an execution's last step decides its next step, as in the workflow; every step may be repeated.
 */

const FIRST = "node@first#pool";
const SECOND = "node@second#pool";
const FAILURE = { Error: "VolumeBackendAPIException", Cause: "refused" };

type Step = "create" | "finish" | "reschedule" | "error" | "over";

/** One execution: the step that it is at, and the steps that it has begun. */
type Walk = { input: WorkflowInput; step: Step; begun: Step[] };

/** The stores under test; the rest of the world is in memory. */
export type Stores = { volumes: VolumeRepository; backends: BackendRepository };

/** The system under test. */
export class Site {
  readonly world = new World();
  readonly interleaver = new Interleaver();
  readonly volumeIds: string[] = [];
  readonly bodies: string[] = [];
  readonly #walks = new Map<string, Walk>();
  readonly #refuses = new Set<string>();
  readonly #stores: Stores;

  constructor(storesOf: (world: World) => Stores) {
    this.world.addBackend(FIRST);
    this.world.addBackend(SECOND, { total: 90 });
    this.#stores = storesOf(this.world);
  }

  get executions(): string[] {
    return [...this.world.executions.keys()];
  }

  /** The dependencies of any task, with their calls gated. */
  #deps(gate: Gate) {
    const { deps } = this.world;
    const backends = gate(this.#stores.backends);
    return {
      ...deps,
      volumes: gate(this.#stores.volumes),
      backends,
      candidates: backends,
      notifier: gate(deps.notifier),
      queue: gate(deps.queue),
      workflow: gate(deps.workflow),
      drivers: { hosts: deps.drivers.hosts, forHost: (host: string) => gate(deps.drivers.forHost(host)) },
    };
  }

  async create(size: number): Promise<void> {
    if (this.volumeIds.length === 0) {
      await this.#report();
    }
    const deadline = new Date(this.world.now.getTime() + PHASE_BOUND_SECONDS.queued * 1000).toISOString();
    const volume = queuedVolume({ size, deadline });
    await this.#stores.volumes.create(volume);
    this.volumeIds.push(volume.id);
    this.bodies.push(
      JSON.stringify({
        context: { project_id: "project", user_id: "user" },
        volume_id: volume.id,
        request_spec: { volume_id: volume.id, volume_properties: { size } },
        filter_properties: {},
      }),
    );
  }

  /** Any message that was ever sent: the first delivery, a repeated one, or one that comes out of order. */
  deliver(choice: number): Promise<void> {
    this.bodies.push(...this.world.casts.splice(0).map((cast) => JSON.stringify(cast)));
    const body = this.bodies[choice % Math.max(1, this.bodies.length)];
    if (body === undefined) {
      return Promise.resolve();
    }
    return this.interleaver.begin("delivery", async (gate) => {
      const deps = this.#deps(gate);
      const { volume_id: id } = parseCreateVolumeMessage(body);
      const records = await deps.volumes.getMany([id]);
      await receiveMessage(deps, readMessage(body), records.get(id));
    });
  }

  /** The execution continues: its current step begins, and every earlier step has ended or was abandoned. */
  async goOn(choice: number): Promise<void> {
    const walk = this.#walkOf(choice);
    if (walk !== undefined && walk.step !== "over") {
      this.interleaver.killAll(walk.input.fence);
      walk.begun.push(walk.step);
      await this.#beginStep(walk, walk.step);
    }
  }

  /** A step of the execution that has begun before comes again. */
  async again(choice: number, stepChoice: number): Promise<void> {
    const walk = this.#walkOf(choice);
    const step = walk?.begun[stepChoice % Math.max(1, walk.begun.length)];
    if (walk !== undefined && step !== undefined) {
      await this.#beginStep(walk, step);
    }
  }

  /** The execution is aborted, and the rule hears of it. Its functions were given up before: a live one is the fault matrix's. */
  async abort(choice: number): Promise<void> {
    const walk = this.#walkOf(choice);
    if (walk === undefined || walk.step === "over") {
      return;
    }
    walk.step = "over";
    const { fence } = walk.input;
    this.interleaver.killAll(fence);
    const event = { name: fence, status: "ABORTED", error: null, cause: null };
    await this.interleaver.begin("rule", (gate) => errorOutFailedExecution(this.#deps(gate), event));
  }

  /** The backend of that place refuses creates from now on, or takes them again. */
  turn(host: "first" | "second"): void {
    const name = host === "first" ? FIRST : SECOND;
    if (!this.#refuses.delete(name)) {
      this.#refuses.add(name);
    }
    const driver = this.world.drivers.get(name);
    if (driver !== undefined && !this.#refuses.has(name)) {
      Reflect.deleteProperty(driver, "createVolume");
    } else if (driver !== undefined) {
      driver.createVolume = () => Promise.reject(new VolumeBackendAPIException("refused"));
    }
  }

  delete(choice: number): Promise<void> {
    const id = this.volumeIds[choice % Math.max(1, this.volumeIds.length)];
    return id === undefined
      ? Promise.resolve()
      : this.interleaver.begin("user", (gate) => deleteVolume(this.#deps(gate), id));
  }

  /** Time passes; the backends report, and the sweep begins. */
  async sweep(minutes: number): Promise<void> {
    this.world.now = new Date(this.world.now.getTime() + minutes * 60_000);
    await this.#report();
    await this.interleaver.begin("sweep", (gate) => sweepOverdueVolumes(this.#deps(gate), () => 30_000));
  }

  /** Everything continues until no work is left. */
  async rest(): Promise<void> {
    this.turnAllBack();
    for (let round = 0; round < 8; round += 1) {
      await this.interleaver.finish();
      for (const [index] of this.bodies.entries()) {
        await this.deliver(index);
        await this.interleaver.finish();
      }
      for (const [index] of this.executions.entries()) {
        await this.goOn(index);
        await this.interleaver.finish();
      }
    }
    for (const minutes of [30, 61, 1, 30, 61, 1]) {
      await this.sweep(minutes);
      await this.interleaver.finish();
    }
  }

  turnAllBack(): void {
    for (const host of ["first", "second"] as const) {
      if (this.#refuses.has(host === "first" ? FIRST : SECOND)) {
        this.turn(host);
      }
    }
  }

  /** Violations in the final state, as lines; empty without any. To be asked at rest. */
  async problems(): Promise<string[]> {
    const records = await this.#stores.volumes.getMany(this.volumeIds);
    const backends = await this.#stores.backends.list();
    const found: string[] = [];
    for (const record of records.values()) {
      found.push(...this.#problemsOf(record));
    }
    for (const { host, claims, allocated_capacity_gb: allocated } of backends) {
      const size = [...records.values()].filter((each) => each.host === host).reduce((sum, each) => sum + each.size, 0);
      if (allocated !== size) {
        found.push(`${host} counts ${allocated} GiB for volumes of ${size} GiB`);
      }
      found.push(...Object.keys(claims).map((id) => `${host} has an open claim of ${id}`));
      for (const id of this.world.drivers.get(host)?.volumes.keys() ?? []) {
        const record = records.get(id);
        const isSuspect = Object.values(record?.attempts ?? {}).some((line) => line.suspected_orphan === true);
        if (record?.host !== host && !isSuspect) {
          found.push(`${host} holds ${id}, which is recorded on ${record?.host ?? "no host"}`);
        }
      }
    }
    return found;
  }

  #problemsOf(record: VolumeRecord): string[] {
    const found: string[] = [];
    const ends = this.world.notifications.filter(
      ({ event_type, payload }) => event_type === "volume.create.end" && payload["volume_id"] === record.id,
    );
    if (isInFlow(record)) {
      found.push(`${record.id} is ${record.status} for ever`);
    }
    if (record.status === "available") {
      if (this.world.drivers.get(record.host ?? "")?.volumes.has(record.id) !== true) {
        found.push(`${record.id} is available, and ${record.host ?? "no host"} does not have it`);
      }
      if (ends.length === 0) {
        found.push(`${record.id} is available, and create.end was never sent`);
      }
    }
    if (record.status === "error" && ends.length > 0) {
      found.push(`${record.id} is in error, and create.end was sent`);
    }
    if (new Set(ends.map(({ message_id }) => message_id)).size > 1) {
      found.push(`create.end of ${record.id} was sent under different ids`);
    }
    const running = Object.entries(record.attempts).filter(([, { outcome }]) => outcome === "running");
    return [...found, ...running.map(([number]) => `attempt ${number} of ${record.id} runs for ever in the ledger`)];
  }

  #walkOf(choice: number): Walk | undefined {
    const name = this.executions[choice % Math.max(1, this.executions.length)];
    const input = name === undefined ? undefined : this.world.executions.get(name);
    if (name === undefined || input === undefined) {
      return undefined;
    }
    const walk = this.#walks.get(name) ?? { input, step: "create", begun: [] };
    this.#walks.set(name, walk);
    return walk;
  }

  /** Only the first run of the step that the execution is at takes it further. */
  async #beginStep(walk: Walk, step: Step): Promise<void> {
    const then = (next: Step): void => {
      if (walk.step === step) {
        walk.step = next;
      }
    };
    await this.interleaver.begin(walk.input.fence, async (gate) => {
      try {
        await this.#run(walk.input, step, gate);
        then(step === "create" ? "finish" : "over");
      } catch (error) {
        const isRefused = error instanceof VolumeBackendAPIException && walk.input.attempt < 3;
        then(step === "create" && isRefused ? "reschedule" : step === "error" ? "over" : "error");
      }
    });
  }

  async #run(input: WorkflowInput, step: Step, gate: Gate): Promise<void> {
    const deps = this.#deps(gate);
    const spec = {
      type: "raw",
      status: "creating",
      volume_id: input.volume_id,
      volume_name: input.volume_id,
      volume_size: 1,
    } as const;
    const creation = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;
    switch (step) {
      case "create":
        await createRawVolume(deps, input, { checkpoint: null, remainingTimeMs: () => 30_000 });
        return;
      case "finish":
        await createVolumeOnFinish(deps, { ...input, volume_spec: spec, creation });
        return;
      case "reschedule":
        await rescheduleVolume(deps, { ...input, failure: FAILURE });
        return;
      case "error":
        await errorOutVolume(deps, { ...input, failure: FAILURE });
        return;
      case "over":
        return;
    }
  }

  /** As every minute: a backend that has not reported for long takes nothing. */
  async #report(): Promise<void> {
    for (const [host, driver] of this.world.drivers) {
      const { total_capacity_gb, free_capacity_gb } = driver.stats;
      const reported_at = this.world.now.toISOString();
      await this.#stores.backends.report(backendReport({ host, total_capacity_gb, free_capacity_gb, reported_at }));
    }
  }
}

type Model = Record<string, never>;

/** One command: what it is called in a counterexample, and what it does. */
function command(name: string, run: (site: Site) => Promise<void>): fc.AsyncCommand<Model, Site> {
  return { check: () => true, run: (_model, site) => run(site), toString: () => name };
}

/** Every command, with its choices. Calls going ahead are the most frequent: they are what interleaves. */
export function commandArbitraries(): fc.Arbitrary<fc.AsyncCommand<Model, Site>>[] {
  const choice = fc.nat({ max: 5 });
  const advance = choice.map((n) => command(`advance(${n})`, (site) => site.interleaver.advance(n)));
  return [
    advance,
    advance,
    advance,
    fc.integer({ min: 1, max: 3 }).map((size) => command(`create(${size})`, (site) => site.create(size))),
    choice.map((n) => command(`deliver(${n})`, (site) => site.deliver(n))),
    choice.map((n) => command(`goOn(${n})`, (site) => site.goOn(n))),
    fc.tuple(choice, choice).map(([n, step]) => command(`again(${n}, ${step})`, (site) => site.again(n, step))),
    choice.map((n) => command(`abort(${n})`, (site) => site.abort(n))),
    choice.map((n) => command(`delete(${n})`, (site) => site.delete(n))),
    choice.map((n) =>
      command(`kill(${n})`, async (site) => {
        site.interleaver.kill(n);
      }),
    ),
    fc.constantFrom(1, 20, 61).map((minutes) => command(`sweep(${minutes})`, (site) => site.sweep(minutes))),
    fc.constantFrom("first" as const, "second" as const).map((host) =>
      command(`turn(${host})`, async (site) => {
        site.turn(host);
      }),
    ),
    fc.constant(command("finish()", (site) => site.interleaver.finish())),
  ];
}
