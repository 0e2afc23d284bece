import { createMessage } from "../../core/requests/create-request.ts";
import { describeError } from "../../core/errors.ts";
import type { BackendRecord, VolumeRecord } from "../../core/records.ts";
import { type DroppedPool, selectPool } from "../../core/scheduling/schedule.ts";
import { DEFAULT_SETTINGS, type SchedulerSettings } from "../../core/scheduling/settings.ts";
import { poolsInService } from "../../core/scheduling/claim-backend.ts";
import { scheduledSpec } from "../../core/scheduling/scheduled-spec.ts";
import { claimsByHost, stateOfBackend } from "../commands/backend.ts";
import type { Session } from "../session.ts";
import type { VolumeFeed } from "./volume-feed.ts";
import type { BackendsAnswer, Skip } from "./wire.ts";

/** Requests for which the answer lists the backends that would refuse them. */
const RECENT_REQUESTS = 10;

/** Lifetime of the computed answer for the requests: the page asks every second. */
const FRESH_MILLISECONDS = 5_000;

/** The pools with what they hold, and why the scheduler does not choose them. */
export class BackendsReader {
  readonly #session: Pick<Session, "connection" | "clock">;
  readonly #feed: Pick<VolumeFeed, "refresh" | "countsByHost" | "newest">;
  #skips: { at: number; byHost: Map<string, Skip[]>; requests: number } | undefined;

  constructor(
    session: Pick<Session, "connection" | "clock">,
    feed: Pick<VolumeFeed, "refresh" | "countsByHost" | "newest">,
  ) {
    this.#session = session;
    this.#feed = feed;
  }

  /** Every pool. */
  async answer(): Promise<BackendsAnswer> {
    const { connection, clock } = this.#session;
    const repository = await connection.backends();
    const backends = await repository.list();
    const claims = await claimsByHost(repository, backends);
    const now = clock.now();
    const downSeconds = await connection.serviceDownSeconds();
    await this.#feed.refresh();
    const skips = await this.#skipsOf(backends, downSeconds, now);
    const counts = this.#feed.countsByHost();
    return {
      backends: backends.map(({ claims: _newest, ...backend }) => ({
        ...backend,
        state: stateOfBackend(backend, now, downSeconds),
        claims: claims.get(backend.host)?.length ?? 0,
        claimed_gb: (claims.get(backend.host) ?? []).reduce((sum, { claim: { size } }) => sum + size, 0),
        volumes: counts.get(backend.host) ?? 0,
        skips: skips.byHost.get(backend.host) ?? [],
      })),
      unreadable: backends.unreadable?.length ?? 0,
      now: now.toISOString(),
      requests: skips.requests,
    };
  }

  async #skipsOf(backends: readonly BackendRecord[], downSeconds: number, now: Date) {
    const known = this.#skips;
    if (known !== undefined && now.getTime() - known.at < FRESH_MILLISECONDS) {
      return known;
    }
    const volumes = await this.#session.connection.volumes();
    const rows = this.#feed.newest(RECENT_REQUESTS);
    const records =
      rows.length === 0 ? new Map<string, VolumeRecord>() : await volumes.getMany(rows.map(({ id }) => id));
    const settings = { ...DEFAULT_SETTINGS, service_down_time: downSeconds };
    const byHost = new Map<string, Skip[]>();
    for (const volume of records.values()) {
      for (const { backend_id: host, filter, reason } of await this.#droppedFor(volume, backends, settings)) {
        const skip = { volume_id: volume.id, name: volume.display_name, filter, reason };
        byHost.set(host, [...(byHost.get(host) ?? []), skip]);
      }
    }
    this.#skips = { at: now.getTime(), byHost, requests: records.size };
    return this.#skips;
  }

  /** The pools that the scheduler's filters would drop for the request of the volume, as the pools are now. */
  async #droppedFor(
    volume: VolumeRecord,
    backends: readonly BackendRecord[],
    settings: SchedulerSettings,
  ): Promise<DroppedPool[]> {
    const { connection, clock } = this.#session;
    const { pools, down } = poolsInService(backends, { clock, settings });
    try {
      const readers = {
        volumes: await connection.volumes(),
        snapshots: await connection.snapshots(),
        volumeTypes: await connection.volumeTypes(),
      };
      const { properties } = await scheduledSpec(readers, createMessage(volume, null), volume, {});
      return [...selectPool(properties, pools, settings).dropped, ...down];
    } catch (error) {
      // Its source or type is gone: no pool can be chosen for it any more.
      const { name, message } = describeError(error);
      return backends.map(({ host }) => ({ backend_id: host, filter: name, reason: message }));
    }
  }
}
