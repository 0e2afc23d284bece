import type { Node } from "constructs";
import { checkDriverOptions } from "../adapters/driver-options.ts";
import { type AuditSchedule, parseAuditSchedule } from "../core/audit/schedule.ts";
import { type ApiOptions, parseApiOptions } from "../core/api/options.ts";
import { type Backend, parseBackends } from "../core/backends/backends.ts";
import { InvalidInput } from "../core/errors.ts";
import { type ImageServicesOptions, parseImageServices } from "../core/images/image-services.ts";
import {
  DEFAULT_NOTIFICATION_ERA,
  notificationEra,
  type NotificationEra,
} from "../core/notifications/notifications.ts";
import { DEFAULT_SETTINGS, type SchedulerSettings, schedulerSettings } from "../core/scheduling/settings.ts";
import {
  leastServiceDownSeconds,
  parseTimeBounds,
  phaseBoundsOf,
  type TimeBounds,
} from "../core/settings/time-bounds.ts";
import type { Deployment } from "./deployment.ts";
import { MOUNT_POINT } from "./mount-point.ts";

/** The configuration of a deployment, checked when the app is synthesised. */
export type Configuration = {
  backends: readonly Backend[];
  imageServices: ImageServicesOptions;
  scheduler: SchedulerSettings;
  notificationEra: NotificationEra;
  audit: AuditSchedule;
  timeBounds: TimeBounds;
  /** Null if the deployment has no API. */
  blockStorageApi: ApiOptions | null;
};

/**
 * Two backends in one zone, as directories of one file system: enough for a second attempt on another backend. A deployment names its own
 * by context. If the stack mounts the file system, a function without the mount must not use its own disk instead.
 */
const defaultBackends = (fileSystem: Deployment["fileSystem"]): unknown =>
  ["first", "second"].map((name) => ({
    host: `cinderless@${name}`,
    driver: "file",
    options: { directory: `${MOUNT_POINT}/${name}`, ...(fileSystem === "efs" && { mount_point: MOUNT_POINT }) },
    capabilities: { volume_backend_name: name },
  }));

/** Most backends of a deployment. Every function that uses them reads all, and the scheduler compares all. */
const MOST_BACKENDS = 1_000;

/** Lambda allows 4 KiB of environment in total; the rest is for the names of the tables, queues and topic. */
const IMAGE_SERVICES_BYTES_LIMIT = 3072;

/**
 * Reads the configuration from CDK context: `backends` (an array as `core/backends/backends.ts` describes it), `image_services` (as
 * `core/images/image-services.ts` describes it), `scheduler` (settings by Cinder's option names), `audit` (as `core/audit/schedule.ts` describes it), `time_bounds` (as `core/settings/time-bounds.ts` describes it)
 * `blockStorageApi` (as `core/api/options.ts` describes it, or `none`)
 * and `notification_era` (a word). On the command line all but the last are JSON: `-c backends='[...]'`.
 *
 * @throws InvalidInput that names the wrong setting.
 */
export function readConfiguration(node: Node, fileSystem: Deployment["fileSystem"]): Configuration {
  const backends = parseBackends(contextJson(node, "backends") ?? defaultBackends(fileSystem));
  if (backends.length > MOST_BACKENDS) {
    throw new InvalidInput(`backends: at most ${MOST_BACKENDS} backends, not ${backends.length}`);
  }
  checkDriverOptions(backends);
  const imageServices = parseImageServices(contextJson(node, "image_services") ?? {});
  requireFits("image_services", imageServices, IMAGE_SERVICES_BYTES_LIMIT);
  const timeBounds = parseTimeBounds(contextJson(node, "time_bounds") ?? {});
  const scheduler = readScheduler(contextJson(node, "scheduler") ?? {}, timeBounds);
  const era: unknown = node.tryGetContext("notification_era");
  const longestPhaseSeconds = Math.max(...Object.values(phaseBoundsOf(timeBounds)));
  const audit = parseAuditSchedule(contextJson(node, "audit") ?? {}, longestPhaseSeconds);
  return {
    backends,
    imageServices,
    scheduler,
    notificationEra: notificationEra(era ?? DEFAULT_NOTIFICATION_ERA),
    audit,
    timeBounds,
    blockStorageApi: parseApiOptions(contextJson(node, "blockStorageApi") ?? "none"),
  };
}

/** The time after which a backend is down follows from the interval of its reports, unless the deployment sets a longer one. */
function readScheduler(changes: Partial<SchedulerSettings>, timeBounds: TimeBounds): SchedulerSettings {
  const least = leastServiceDownSeconds(timeBounds);
  const derived = Math.max(DEFAULT_SETTINGS.service_down_time, least);
  const settings = schedulerSettings({ service_down_time: derived, ...changes });
  if (settings.service_down_time < least) {
    throw new InvalidInput(
      `scheduler: service_down_time must be at least ${least}, 2.5 times report_interval_seconds of time_bounds ` +
        `(${timeBounds.report_interval_seconds}), not ${settings.service_down_time}: otherwise every backend is down between two reports`,
    );
  }
  return settings;
}

function requireFits(what: string, value: unknown, limit: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > limit) {
    throw new InvalidInput(`${what}: ${bytes} bytes of JSON do not fit a function's environment (${limit})`);
  }
}

function contextJson(node: Node, key: string): unknown {
  const value: unknown = node.tryGetContext(key);
  if (typeof value !== "string" || value === "none") {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    throw new InvalidInput(`context ${key} is not valid JSON`);
  }
}
