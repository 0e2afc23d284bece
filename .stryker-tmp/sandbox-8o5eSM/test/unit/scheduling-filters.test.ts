// @ts-nocheck
import { describe, expect, test } from "vitest";
import { availabilityZoneFilter } from "../../core/scheduling/filters/availability-zone.ts";
import { capabilitiesFilter } from "../../core/scheduling/filters/capabilities.ts";
import { ignoreAttemptedHostsFilter } from "../../core/scheduling/filters/ignore-attempted-hosts.ts";
import { FILTERS } from "../../core/scheduling/filters/index.ts";
import { aPool, vectors } from "../support/scheduler-vectors.ts";

test("the filters go by Cinder's class names", () => {
  expect([...FILTERS.keys()]).toEqual([
    "AvailabilityZoneFilter",
    "CapacityFilter",
    "CapabilitiesFilter",
    "IgnoreAttemptedHostsFilter",
  ]);
});

describe("availability zone", () => {
  test.each(vectors.availability_zone_filter)(
    "$request_spec in $service_az, as Cinder",
    ({ service_az, request_spec, out }) => {
      const verdict = availabilityZoneFilter.passes(aPool({ availability_zone: service_az }), {
        request_spec,
      });
      expect(verdict.passes).toBe("result" in out && out.result);
    },
  );

  test.each([
    [{ availability_zones: ["az1", "nova"], resource_properties: { availability_zone: "az9" } }, true],
    [{ availability_zones: ["az1", "az2"], resource_properties: { availability_zone: "nova" } }, false],
    [{ availability_zones: [], resource_properties: { availability_zone: "nova" } }, true],
    [{ availability_zones: [], resource_properties: { availability_zone: "az9" } }, false],
    [{ resource_properties: { availability_zone: "" } }, true],
    [null, true],
  ])("%j: %s", (requestSpec, expected) => {
    expect(availabilityZoneFilter.passes(aPool(), { request_spec: requestSpec }).passes).toBe(expected);
  });

  test("a pool without a zone is in none", () => {
    const verdict = availabilityZoneFilter.passes(aPool({ availability_zone: null }), {
      request_spec: { availability_zones: ["az1", "az2"] },
    });
    expect(verdict).toEqual({
      passes: false,
      reason: "is in availability zone (none), not in az1 or az2",
    });
  });
});

describe("capabilities", () => {
  test.each(vectors.capabilities_filter)("$name, as Cinder", ({ capabilities, extra_specs, out }) => {
    const verdict = capabilitiesFilter.passes(aPool({ capabilities }), {
      resource_type: { extra_specs },
    });
    expect(verdict.passes).toBe("result" in out && out.result);
  });

  test.each([
    ["any element of a list may match", { compression: ["on", 5] }, { compression: ">= 5" }, true],
    ["an empty list matches nothing", { compression: [] }, { compression: "s!= on" }, false],
    ["a null capability meets a null requirement", { nothing: null }, { nothing: null }, true],
    ["no step leads into a text", { name: "lvm" }, { "capabilities:name:x": "<is> False" }, false],
    ["what every object inherits is not reported", {}, { constructor: "<is> False" }, false],
    ["a foreign scope is not looked at", {}, { "provisioning:type": "thick", "a:b:c": "x" }, true],
    ["the bare key capabilities stands for all of them", { thin: true }, { capabilities: "<in> thin" }, true],
  ])("%s", (_name, capabilities, extraSpecs, expected) => {
    const verdict = capabilitiesFilter.passes(aPool({ capabilities }), {
      resource_type: { extra_specs: extraSpecs },
    });
    expect(verdict.passes).toBe(expected);
  });

  test.each([[null], [{}], [{ extra_specs: null }]])("type %j asks for nothing", (resourceType) => {
    expect(capabilitiesFilter.passes(aPool(), { resource_type: resourceType }).passes).toBe(true);
  });

  test("the reason names the key, what is reported and what is wanted", () => {
    const pool = aPool({ capabilities: { qos: "x".repeat(200) } });
    expect(capabilitiesFilter.passes(pool, { resource_type: { extra_specs: { qos: "<is> True" } } })).toEqual({
      passes: false,
      reason: `reports qos as "${"x".repeat(79)}..., the type wants "<is> True"`,
    });
    expect(
      capabilitiesFilter.passes(pool, {
        resource_type: { extra_specs: { "capabilities:a:b": "1" } },
      }),
    ).toEqual({
      passes: false,
      reason: "does not report the capability capabilities:a:b",
    });
  });
});

describe("attempted hosts", () => {
  test.each(vectors.ignore_attempted_hosts_filter)("$filter_properties.retry, as Cinder", (vector) => {
    const verdict = ignoreAttemptedHostsFilter.passes(aPool({ host: vector.backend }), vector.filter_properties);
    expect(verdict.passes).toBe("result" in vector.out && vector.out.result);
  });

  test("an empty backends list wins over a filled hosts list", () => {
    const retry = { num_attempts: 2, backends: [], hosts: ["h@b#p"] };
    expect(ignoreAttemptedHostsFilter.passes(aPool(), { retry }).passes).toBe(true);
  });

  test("a clustered pool is known by its cluster's name", () => {
    const pool = aPool({ cluster_name: "c@b#p", backend_id: "c@b#p" });
    expect(ignoreAttemptedHostsFilter.passes(pool, { retry: { backends: ["h@b#p"] } }).passes).toBe(true);
    expect(ignoreAttemptedHostsFilter.passes(pool, { retry: { backends: ["c@b#p"] } }).passes).toBe(false);
  });

  test("a null list counts as empty", () => {
    expect(ignoreAttemptedHostsFilter.passes(aPool(), { retry: { backends: null } }).passes).toBe(true);
  });
});
