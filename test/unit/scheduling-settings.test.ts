import { describe, expect, test } from "vitest";
import { CINDER_SETTINGS, DEFAULT_SETTINGS, schedulerSettings } from "../../core/scheduling/settings.ts";

test("Cinder's defaults are kept", () => {
  expect(CINDER_SETTINGS).toEqual({
    scheduler_default_filters: ["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"],
    scheduler_default_weighers: ["CapacityWeigher"],
    scheduler_max_attempts: 3,
    capacity_weight_multiplier: 1,
    allocated_capacity_weight_multiplier: -1,
    max_over_subscription_ratio: "20.0",
    service_down_time: 60,
  });
});

test("the product's defaults differ in that attempted hosts are ignored", () => {
  expect(schedulerSettings()).toEqual(DEFAULT_SETTINGS);
  expect(DEFAULT_SETTINGS.scheduler_default_filters).toEqual([
    ...CINDER_SETTINGS.scheduler_default_filters,
    "IgnoreAttemptedHostsFilter",
  ]);
});

describe("settings that cannot be honoured are refused by name", () => {
  test.each([
    [{ scheduler_max_attempts: 0 }, /scheduler_max_attempts must be a whole number of at least 1, not 0/],
    [{ scheduler_max_attempts: 2.5 }, /scheduler_max_attempts .* not 2.5/],
    [
      { scheduler_default_filters: ["CapacityFilter", "ChanceFilter", "X"] },
      /scheduler_default_filters names ChanceFilter, X,/,
    ],
    [
      { scheduler_default_weighers: ["ChanceWeigher"] },
      /scheduler_default_weighers names ChanceWeigher, known are CapacityWeigher/,
    ],
    [{ capacity_weight_multiplier: Infinity }, /capacity_weight_multiplier/],
    [{ allocated_capacity_weight_multiplier: NaN }, /allocated_capacity_weight_multiplier/],
    [
      { max_over_subscription_ratio: "0.5" },
      /max_over_subscription_ratio must be a number of at least 1 or "auto", not 0.5/,
    ],
    [{ max_over_subscription_ratio: "much" }, /max_over_subscription_ratio/],
    [{ scheduler_max_attempts: 33 }, /scheduler_max_attempts must be at most 32, not 33/],
    [{ scheduler_max_attemps: 5 }, /there is no scheduler setting scheduler_max_attemps/],
  ])("%j", (changes: object, message) => {
    expect(() => schedulerSettings(changes)).toThrow(message);
  });

  test.each([
    { max_over_subscription_ratio: "auto" },
    { max_over_subscription_ratio: 1 },
    { scheduler_max_attempts: 1 },
  ])("%j is fine", (changes) => {
    expect(schedulerSettings(changes)).toMatchObject(changes);
  });
});
