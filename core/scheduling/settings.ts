/** The scheduler's settings, by Cinder's option names. */

import { LEDGER_ATTEMPTS } from "../requests/byte-budget.ts";
import { InvalidInput } from "../errors.ts";
import { SERVICE_DOWN_SECONDS } from "../settings/time-bounds.ts";
import { FILTERS } from "./filters/index.ts";
import { pythonFloat } from "./python-values.ts";
import { WEIGHERS } from "./weighers/index.ts";
import type { WeigherSettings } from "./weighers/weigher.ts";

/** Checked by `schedulerSettings`; scheduling itself relies on that. */
export type SchedulerSettings = WeigherSettings & {
  /** Class names of filters, in the order in which they run. */
  scheduler_default_filters: readonly string[];
  /** Class names of weighers. */
  scheduler_default_weighers: readonly string[];
  /** Placements of one volume, at most `LEDGER_ATTEMPTS`; 1 means that it is never rescheduled. */
  scheduler_max_attempts: number;
  /** For thin pools that report none of their own: a number of at least 1, or "auto". */
  max_over_subscription_ratio: string | number;
  /** Seconds after which a backend that has not reported is down and gets no volume. */
  service_down_time: number;
};

/** Cinder's own defaults. With these a pool that failed and still weighs best is chosen again at every attempt. */
export const CINDER_SETTINGS: SchedulerSettings = {
  scheduler_default_filters: ["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"],
  scheduler_default_weighers: ["CapacityWeigher"],
  scheduler_max_attempts: 3,
  capacity_weight_multiplier: 1,
  allocated_capacity_weight_multiplier: -1,
  max_over_subscription_ratio: "20.0",
  service_down_time: 60,
};

/**
 * This product's defaults: Cinder's, and a pool that failed a volume is not asked for the same volume again. Backends report each
 * minute here, not each ten seconds.
 */
export const DEFAULT_SETTINGS: SchedulerSettings = {
  ...CINDER_SETTINGS,
  scheduler_default_filters: [...CINDER_SETTINGS.scheduler_default_filters, "IgnoreAttemptedHostsFilter"],
  service_down_time: SERVICE_DOWN_SECONDS,
};

/**
 * Complete settings, or InvalidInput that names the setting and the problem. For the start of a process: a scheduler with invalid settings
 * must not accept messages.
 *
 * @param changes settings that differ from the defaults
 */
export function schedulerSettings(
  changes: Partial<SchedulerSettings> = {},
  defaults: SchedulerSettings = DEFAULT_SETTINGS,
): SchedulerSettings {
  const settings = { ...defaults, ...changes };
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(CINDER_SETTINGS, name)) {
      throw new InvalidInput(`there is no scheduler setting ${name}`);
    }
  }
  checkNames("scheduler_default_filters", settings.scheduler_default_filters, FILTERS);
  checkNames("scheduler_default_weighers", settings.scheduler_default_weighers, WEIGHERS);
  checkNumbers(settings);
  return settings;
}

function checkNames(setting: string, names: readonly string[], known: ReadonlyMap<string, unknown>): void {
  const unknownNames = names.filter((name) => !known.has(name));
  if (unknownNames.length > 0) {
    throw new InvalidInput(`${setting} names ${unknownNames.join(", ")}, known are ${[...known.keys()].join(", ")}`);
  }
}

function checkNumbers(settings: SchedulerSettings): void {
  const attempts = settings.scheduler_max_attempts;
  if (!Number.isSafeInteger(attempts) || attempts < 1) {
    throw new InvalidInput(`scheduler_max_attempts must be a whole number of at least 1, not ${attempts}`);
  }
  if (attempts > LEDGER_ATTEMPTS) {
    throw new InvalidInput(
      `scheduler_max_attempts must be at most ${LEDGER_ATTEMPTS}, not ${attempts}: a volume's record keeps no more attempts`,
    );
  }
  for (const name of ["capacity_weight_multiplier", "allocated_capacity_weight_multiplier"] as const) {
    if (!Number.isFinite(settings[name])) {
      throw new InvalidInput(`${name} must be a finite number, not ${settings[name]}`);
    }
  }
  const downSeconds = settings.service_down_time;
  if (!Number.isSafeInteger(downSeconds) || downSeconds < 1) {
    throw new InvalidInput(`service_down_time must be a whole number of seconds of at least 1, not ${downSeconds}`);
  }
  const ratio = settings.max_over_subscription_ratio;
  if (ratio !== "auto" && !((pythonFloat(ratio) ?? 0) >= 1)) {
    throw new InvalidInput(`max_over_subscription_ratio must be a number of at least 1 or "auto", not ${ratio}`);
  }
}
