import { describe, expect, test } from "vitest";
import { populateFilterProperties, type RequestSpec } from "../../core/scheduling/request.ts";
import { explainDropped, selectPool, type Selection } from "../../core/scheduling/schedule.ts";
import { DEFAULT_SETTINGS, schedulerSettings } from "../../core/scheduling/settings.ts";
import { aPool } from "../support/scheduler-vectors.ts";

const pools = [
  aPool({ host: "h1@b#p", free_capacity_gb: 50, availability_zone: "az1" }),
  aPool({ host: "h2@b#p", free_capacity_gb: 90 }),
  aPool({ host: "h2@b#q", free_capacity_gb: 70 }),
  aPool({ host: "h3@b#p", free_capacity_gb: 3 }),
];

function select(requestSpec: RequestSpec, settings = DEFAULT_SETTINGS): Selection {
  return selectPool(populateFilterProperties({}, requestSpec), pools, settings);
}

describe("the choice", () => {
  test("is the best of those that pass, the others in order after it", () => {
    const { selected, weighed } = select({ volume_properties: { size: 5 } });
    expect(selected?.host).toBe("h2@b#p");
    expect(weighed.map(({ pool, weight }) => [pool.host, weight])).toEqual([
      ["h2@b#p", 1],
      ["h2@b#q", 0.5],
      ["h1@b#p", 0],
    ]);
  });

  test("follows the settings' filters only, in their order", () => {
    const settings = schedulerSettings({
      scheduler_default_filters: ["CapabilitiesFilter"],
      capacity_weight_multiplier: -1,
    });
    expect(select({ volume_properties: { size: 5 } }, settings).selected?.host).toBe("h3@b#p");
  });

  test("names for every dropped pool the first filter that dropped it, and why", () => {
    const { dropped } = select({ volume_properties: { size: 60, availability_zone: "nova" } });
    expect(dropped).toEqual([
      {
        backend_id: "h1@b#p",
        filter: "AvailabilityZoneFilter",
        reason: "is in availability zone az1, not in nova",
      },
      {
        backend_id: "h3@b#p",
        filter: "CapacityFilter",
        reason: "has 3 GiB left of 60 wanted",
      },
    ]);
  });

  test("without a candidate is an error with Cinder's message", () => {
    const selection = select({ volume_properties: { size: 95 } });
    expect(selection).toMatchObject({ selected: null, weighed: [] });
    expect(selection.noValidBackend?.message).toBe("No valid backend was found. No weighed backends available");
    expect(selection.dropped).toHaveLength(4);
  });

  test("is undefined without pools", () => {
    expect(selectPool({ size: 1 }, [], DEFAULT_SETTINGS).noValidBackend?.name).toBe("NoValidBackend");
  });
});

describe("a pinned backend", () => {
  test.each([
    ["h2@b", ["h2@b#p", "h2@b#q"]],
    ["h2@b#q", ["h2@b#q"]],
    ["h3@b", []],
    ["h2", []],
  ])("%s leaves %j", (pin, hosts) => {
    const { weighed } = select({ resource_backend: pin, volume_properties: { size: 5 } });
    expect(weighed.map(({ pool }) => pool.host)).toEqual(hosts);
  });

  test("does not change the scores of the pools that it leaves", () => {
    const { weighed } = select({ resource_backend: "h2@b#q", volume_properties: { size: 5 } });
    expect(weighed.map(({ weight }) => weight)).toEqual([0.5]);
  });

  test("is named as the reason for the others", () => {
    const { dropped } = select({ resource_backend: "h2@b#p", volume_properties: { size: 5 } });
    expect(dropped).toContainEqual({
      backend_id: "h2@b#q",
      filter: "resource_backend",
      reason: "is not h2@b#p",
    });
  });
});

describe("the explanation of a failure", () => {
  const dropped = Array.from({ length: 7 }, (_, index) => ({
    backend_id: `h${index}@b#p`,
    filter: "CapacityFilter",
    reason: "has 3 GiB left of 5 wanted",
  }));

  test("is one line that names a few pools and counts the rest", () => {
    expect(explainDropped(dropped.slice(0, 1))).toBe("CapacityFilter: h0@b#p has 3 GiB left of 5 wanted");
    expect(explainDropped(dropped)).toBe(
      "CapacityFilter: h0@b#p has 3 GiB left of 5 wanted, h1@b#p has 3 GiB left of 5 wanted, " +
        "h2@b#p has 3 GiB left of 5 wanted, and 4 more",
    );
  });

  test("counts pools by reason, the furthest from a placement first, and names the nearest", () => {
    const of = (filter: string, count: number, reason: string) =>
      Array.from({ length: count }, (_, index) => ({ backend_id: `${filter}${index}`, filter, reason }));
    const full = { backend_id: "h9", filter: "CapacityFilter", reason: "has 0 GiB left of 3 wanted" };
    const others = [...of("CapabilitiesFilter", 2, "x"), ...of("AvailabilityZoneFilter", 5, "y")];
    expect(explainDropped([full, ...others])).toBe(
      "5 in another zone; 2 of another type; CapacityFilter: h9 has 0 GiB left of 3 wanted",
    );
    expect(explainDropped([...others, ...of("service", 1, "is down")])).toBe(
      "1 down or disabled; 5 in another zone; CapabilitiesFilter: CapabilitiesFilter0 x, CapabilitiesFilter1 x",
    );
  });

  test("says where a source binds the request to, and why that one backend was passed by", () => {
    const pin = { backend: "h1@b#p", because: "source volume v" };
    expect(explainDropped(dropped, pin)).toBe(
      "source volume v binds it to h1@b#p: CapacityFilter: h1@b#p has 3 GiB left of 5 wanted",
    );
    expect(explainDropped(dropped, { ...pin, backend: "h8@b#p" })).toBe(
      "source volume v binds it to h8@b#p: h8@b#p is not in service",
    );
    expect(explainDropped(dropped, { ...pin, backend: "h1@b" })).toContain("binds it to h1@b: CapacityFilter: h1@b#p");
  });

  test("says when there was nothing to choose from", () => {
    expect(explainDropped([])).toBe("no pool is in service");
  });
});

describe("the properties that filters see and that travel on", () => {
  test("come from the request, without the caller's context", () => {
    const volumeType = { name: "fast", extra_specs: { a: "b" } };
    const properties = {
      size: 5,
      availability_zone: "nova",
      user_id: "u",
      metadata: { k: "v" },
      qos_specs: { iops: 1 },
    };
    const requestSpec = {
      volume_id: "VOL",
      volume_type: volumeType,
      volume_properties: properties,
    };
    expect(
      populateFilterProperties({ context: { auth_token: "secret" }, retry: { num_attempts: 1 } }, requestSpec),
    ).toEqual({
      ...properties,
      retry: { num_attempts: 1 },
      config_options: {},
      volume_type: volumeType,
      resource_type: volumeType,
      request_spec: { ...requestSpec, resource_properties: properties },
    });
  });

  test("hold an empty type for a request without one, and null for what it leaves out", () => {
    expect(populateFilterProperties({}, {})).toMatchObject({
      volume_type: {},
      resource_type: {},
      size: null,
      qos_specs: null,
    });
  });
});
