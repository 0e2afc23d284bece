import { DriverNotInitialized, InvalidImageRef } from "../../../core/errors.ts";
import type { ImageCacheSettings } from "../../../core/image-cache/image-cache.ts";
import type { RequestContext, WorkflowInput } from "../../../core/requests/messages.ts";
import type { Notification } from "../../../core/notifications/notifications.ts";
import type { ImageMeta } from "../../../core/drivers/driver-ports.ts";
import { DEFAULT_SETTINGS } from "../../../core/scheduling/settings.ts";
import { membershipOf } from "../../../core/volumes/leave-project.ts";
import { BackendsFake, backendInService } from "../../../simulation/stores/backends.ts";
import { InMemoryDynamoDb } from "../../../simulation/dynamodb/in-memory-dynamodb.ts";
import { TABLES } from "../../../simulation/dynamodb/tables.ts";
import { SnapshotsFake, VolumeTypesFake } from "../../../simulation/stores/catalogues.ts";
import { DeadLettersFake } from "../../../simulation/stores/dead-letters.ts";
import { DriverFake } from "../../../simulation/driver.ts";
import { Faults } from "./faults.ts";
import { ImageCacheFake } from "../../../simulation/stores/image-cache.ts";
import { imageServiceFake } from "../../../simulation/image-service.ts";
import { LocksFake } from "../../../simulation/stores/locks.ts";
import { ProjectsFake } from "../../../simulation/stores/projects.ts";
import { VolumesFake } from "../../../simulation/stores/volumes.ts";

/** The moment at which the world's clock begins. */
export const START = "2026-01-01T01:00:00.000Z";

/** The caller of every request that names no other. */
export const CONTEXT: RequestContext = {
  request_id: "req-1",
  user_id: "user",
  project_id: "project",
  is_admin: false,
  roles: ["member"],
};

/** The image-volume cache of a world. */
export type WorldCache = ReturnType<World["imageCache"]>;

/** Everything that tasks depend on, in memory, with {@link Faults} around each port and the bare fakes to look into. */
export class World {
  readonly faults = new Faults();
  now = new Date(START);
  readonly clock = { now: (): Date => this.now };
  readonly settings = DEFAULT_SETTINGS;
  readonly notifications: Notification[] = [];
  readonly casts: Record<string, unknown>[] = [];
  readonly deadLetters: { body: string; reason: string }[] = [];
  /** Executions by name; a repeated start of one does nothing. */
  readonly executions = new Map<string, WorkflowInput>();
  readonly imageMetas = new Map<string, ImageMeta>();
  readonly drivers = new Map<string, DriverFake>();
  readonly #tables = new InMemoryDynamoDb(TABLES);
  readonly fakes = {
    volumes: new VolumesFake(this.clock, this.#tables),
    backends: new BackendsFake(this.clock, this.#tables),
    snapshots: new SnapshotsFake(this.#tables),
    locks: new LocksFake(this.#tables),
    volumeTypes: new VolumeTypesFake(this.#tables),
    deadLetters: new DeadLettersFake(this.#tables),
    projects: new ProjectsFake(this.clock, this.#tables),
    imageCache: new ImageCacheFake(this.#tables),
  };

  /** The ports, as a task gets them. */
  readonly deps = {
    volumes: this.faults.watch("volumes", this.fakes.volumes),
    backends: this.faults.watch("backends", this.fakes.backends),
    snapshots: this.faults.watch("snapshots", this.fakes.snapshots),
    locks: this.faults.watch("locks", this.fakes.locks),
    candidates: this.faults.watch("backends", this.fakes.backends),
    volumeTypes: this.faults.watch("volumeTypes", this.fakes.volumeTypes),
    deadLetters: this.faults.watch("deadLetters", this.fakes.deadLetters),
    projects: this.faults.watch("projects", this.fakes.projects),
    membership: membershipOf({
      projects: this.faults.watch("projects", this.fakes.projects),
      volumes: this.faults.watch("volumes", this.fakes.volumes),
      clock: this.clock,
    }),
    notifier: this.faults.watch("notifier", {
      publish: async (notification: Notification) => void this.notifications.push(notification),
    }),
    queue: this.faults.watch("queue", {
      send: async (message: Record<string, unknown>) => void this.casts.push(structuredClone(message)),
      sendToDeadLetters: async (body: string, reason: string) => void this.deadLetters.push({ body, reason }),
    }),
    workflow: this.faults.watch("workflow", {
      start: async (input: WorkflowInput) => {
        if (!this.executions.has(input.fence)) {
          this.executions.set(input.fence, structuredClone(input));
        }
      },
    }),
    drivers: {
      hosts: ["node@first", "node@second"],
      forHost: (host: string) => {
        const driver = this.drivers.get(host);
        if (driver === undefined) {
          throw new DriverNotInitialized(host);
        }
        return this.faults.watch("driver", driver);
      },
    },
    images: {
      forHref: (_context: RequestContext, href: string) => {
        if (!/^[\w-]+$/.test(href)) {
          throw new InvalidImageRef(href);
        }
        return { service: this.faults.watch("images", this.#imageService), imageId: href };
      },
    },
    /** None: a test of a backend that hangs brings its own. */
    timeLimit: <Value>(call: Promise<Value>): Promise<Value> => call,
    clock: this.clock,
    settings: this.settings,
  };

  readonly #imageService = imageServiceFake(this.imageMetas);

  /** The image-volume cache, for those that have one; `off` are hosts without. */
  imageCache(settings: Partial<ImageCacheSettings> = {}, off: readonly string[] = []) {
    const { volumes, snapshots, locks, backends } = this.deps;
    return {
      volumes,
      snapshots,
      locks,
      backends,
      entries: this.faults.watch("imageCache", this.fakes.imageCache),
      settingsOf: (host: string): ImageCacheSettings | undefined =>
        off.includes(host) ? undefined : { maxCount: 0, maxSizeGib: 0, ...settings },
    };
  }

  /** A host with a backend in service and its driver. */
  addBackend(host: string, columns: { total?: number; zone?: string } = {}): DriverFake {
    const { total = 100, zone = "nova" } = columns;
    const capacity = { total_capacity_gb: total, free_capacity_gb: total };
    const backend = backendInService({ host, availability_zone: zone, ...capacity, reported_at: START });
    this.fakes.backends.records.set(host, backend);
    const driver = new DriverFake();
    this.drivers.set(host, driver);
    return driver;
  }

  /** Everything that lasts, for comparisons; notifications count once each, as consumers count them. */
  state(): unknown {
    return structuredClone({
      volumes: new Map(withoutCounts(this.fakes.volumes.records)),
      backends: [...this.fakes.backends.records.keys()].map((host) => this.fakes.backends.seen(host)),
      snapshots: new Map(withoutCounts(this.fakes.snapshots.records)),
      locks: this.fakes.locks.all,
      imageCache: new Map(this.fakes.imageCache.records),
      keptLetters: new Map(this.fakes.deadLetters.records),
      drivers: [...this.drivers].map(([host, driver]) => [host, driver.volumes, driver.snapshots, driver.sizes]),
      executions: this.executions,
      notified: [...new Set(this.notifications.map(({ event_type, message_id }) => `${event_type} ${message_id}`))],
      casts: [...new Set(this.casts.map((cast) => JSON.stringify(cast)))],
      deadLetters: [...new Set(this.deadLetters.map((letter) => JSON.stringify(letter)))],
    });
  }
}

/** A step that is repeated may count its lock again, which changes nothing that anybody sees. */
function* withoutCounts<Source extends { times_locked?: number }>(
  records: Iterable<[string, Source]>,
): Generator<[string, Omit<Source, "times_locked">]> {
  for (const [id, { times_locked: _times, ...record }] of records) {
    yield [id, record];
  }
}
