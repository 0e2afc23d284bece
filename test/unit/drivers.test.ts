import { describe, expect, test } from "vitest";
import { checkDriverOptions } from "../../adapters/driver-options.ts";
import { createDrivers } from "../../adapters/drivers.ts";
import { parseBackends, readDeployedBackends } from "../../core/backends/backends.ts";

function drivers(...options: Record<string, unknown>[]) {
  return createDrivers(
    parseBackends(options.map((it, index) => ({ host: `node@b${index + 1}`, driver: "file", options: it }))),
  );
}

describe("finding the driver of a host", () => {
  const two = drivers({ directory: "/a" }, { directory: "/b" });

  test("by its backend, with a pool or without", () => {
    expect(two.forHost("node@b2#pool")).toBe(two.forHost("node@b2"));
    expect(two.forHost("node@b1#pool")).not.toBe(two.forHost("node@b2#pool"));
  });

  test.each(["node@b3#pool", "node", "", "node@b1 #pool", "__proto__"])("%j has none", (host) => {
    expect(() => two.forHost(host)).toThrow(
      expect.objectContaining({ name: "DriverNotInitialized", message: expect.stringContaining(host) }),
    );
  });

  test("the hosts are the configured ones", () => {
    expect(two.hosts).toEqual(["node@b1", "node@b2"]);
  });
});

type Entry = { driver: string; options: Record<string, unknown> };

const entry = (host: string, { driver, options }: Entry) => parseBackends([{ host, driver, options }]);

const WRONG: [string, Entry, RegExp][] = [
  ["no directory", { driver: "file", options: {} }, /node@b1.*directory/],
  [
    "a relative directory",
    { driver: "file", options: { directory: "volumes" } },
    /node@b1.*directory must be an absolute path/,
  ],
  ["a directory that is not a string", { driver: "file", options: { directory: 5 } }, /directory must be a string/],
  ["a NUL in the directory", { driver: "file", options: { directory: "/a\0b" } }, /absolute path/],
  [
    "a relative image_directory",
    { driver: "file", options: { directory: "/a", image_directory: "b" } },
    /image_directory/,
  ],
  [
    "a capacity of nothing",
    { driver: "file", options: { directory: "/a", capacity_gb: 0 } },
    /capacity_gb must be positive/,
  ],
  [
    "a directory that is not on its mount",
    { driver: "file", options: { directory: "/data", mount_point: "/mnt" } },
    /mount_point/,
  ],
  [
    "a mount with a like name",
    { driver: "file", options: { directory: "/mnt2/a", mount_point: "/mnt" } },
    /mount_point/,
  ],
  [
    "an option of another spelling",
    { driver: "file", options: { directory: "/a", capacityGb: 50 } },
    /node@b1: unknown option capacityGb; did you mean capacity_gb\? allowed: directory, mount_point, .*capacity_gb/,
  ],
  [
    "a slip of the hand",
    { driver: "file", options: { directory: "/a", directroy: "/b" } },
    /unknown option directroy; did you mean directory\?/,
  ],
  [
    "a word that is like no option",
    { driver: "file", options: { directory: "/a", colour: "red" } },
    /unknown option colour; allowed: directory/,
  ],
  [
    "a driver that does not exist",
    { driver: "flie", options: {} },
    /node@b1: unknown driver flie; did you mean file\? allowed: file, fault/,
  ],
  [
    "no state_directory",
    { driver: "fault", options: { driver: "file", options: { directory: "/a" } } },
    /state_directory/,
  ],
  ["a call that does not exist", fault({ faults: [{ call: "create", error: "X" }] }), /call must be one of/],
  ["an error without a name", fault({ faults: [{ call: "createVolume", error: "" }] }), /error must be/],
  ["no times at all", fault({ faults: [{ call: "createVolume", error: "X", times: 0 }] }), /times/],
  [
    "an unknown key of a fault",
    fault({ faults: [{ call: "createVolume", error: "X", time: 2 }] }),
    /faults\.0: unknown option time; did you mean times\? allowed: call, error, message, times, when/,
  ],
  ["a wrapped driver's wrong options", fault({ options: {} }), /directory/],
];

function fault(overrides: Record<string, unknown>): Entry {
  const options = { driver: "file", options: { directory: "/a" }, state_directory: "/s", ...overrides };
  return { driver: "fault", options };
}

describe("wrong options are refused before anything is deployed, by backend and option", () => {
  test.each(WRONG)("%s", (_what, wrong, message) => {
    const [backend] = entry("node@b1", wrong);
    expect(() => checkDriverOptions(backend === undefined ? [] : [backend])).toThrow(
      expect.objectContaining({ name: "InvalidInput", message: expect.stringMatching(message) }),
    );
  });

  test("of every backend at once", () => {
    const [first] = entry("node@b1", { driver: "file", options: {} });
    const [second] = entry("node@b2", { driver: "tape", options: {} });
    expect(() => checkDriverOptions([first, second].flatMap((each) => each ?? []))).toThrow(
      /node@b1.*directory.*node@b2/,
    );
  });
});

describe("a backend whose options are wrong all the same has no driver, and says why", () => {
  test.each(WRONG)("%s", (_what, wrong, message) => {
    const found = createDrivers([
      ...entry("node@b1", wrong),
      ...entry("node@b2", { driver: "file", options: { directory: "/b" } }),
    ]);
    expect(found.hosts).toEqual(["node@b1", "node@b2"]);
    expect(found.forHost("node@b2#pool")).toBeDefined();
    expect(() => found.forHost("node@b1#pool")).toThrow(
      expect.objectContaining({ name: "DriverNotInitialized", message: expect.stringMatching(message) }),
    );
  });

  test("also where its entry as a whole cannot be read", () => {
    const good = { host: "node@b2", driver: "file", options: { directory: "/b" } };
    const { backends, unusable } = readDeployedBackends([
      { host: "node@b1", driver: "file", capacity_gb: 5 },
      good,
      { ...good, options: { directory: "/c" } },
      "text",
    ]);
    expect(backends).toMatchObject([good]);
    const found = createDrivers(backends, unusable);
    expect(found.hosts).toEqual(["node@b2", "node@b1", "backend 3"]);
    expect(() => found.forHost("node@b1")).toThrow(/not initialized: .*unknown option capacity_gb/);
    expect(found.forHost("node@b2")).toBeDefined();
  });
});

test("an unknown key of a backend is refused by its host, with what may be meant", () => {
  const wrong = { host: "node@b1", driver: "file", reserved_percent: 5 };
  expect(() => parseBackends([wrong])).toThrow(
    /backends: node@b1: unknown option reserved_percent; did you mean reserved_percentage\? allowed: host, driver/,
  );
});
