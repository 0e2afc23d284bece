// @ts-nocheck
import { describe, expect, test } from "vitest";
import { createDrivers } from "../../adapters/drivers.ts";
import { parseBackends } from "../../core/backends.ts";

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

describe("options that are wrong are refused in one line, which names backend and option", () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ["no directory", {}, /node@b1.*directory/],
    ["a relative directory", { directory: "volumes" }, /node@b1.*directory must be an absolute path/],
    ["a directory that is no string", { directory: 5 }, /directory must be a string/],
    ["a NUL in the directory", { directory: "/a\0b" }, /absolute path/],
    ["a relative image_directory", { directory: "/a", image_directory: "b" }, /image_directory/],
    ["a capacity of nothing", { directory: "/a", capacity_gb: 0 }, /capacity_gb must be positive/],
    ["a directory that is not on its mount", { directory: "/data", mount_point: "/mnt" }, /mount_point/],
    ["a mount with a like name", { directory: "/mnt2/a", mount_point: "/mnt" }, /mount_point/],
    ["a word that is no option", { directory: "/a", directroy: "/b" }, /directroy/],
  ])("%s", (_what, options, message) => {
    expect(() => drivers(options)).toThrow(
      expect.objectContaining({ name: "InvalidInput", message: expect.stringMatching(message) }),
    );
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["no state_directory", { driver: "file", options: { directory: "/a" } }, /state_directory/],
    [
      "a call that is none",
      { faults: [{ call: "create", error: "X" }] },
      /call must be one of createVolume|call must be one of/,
    ],
    ["an error without a name", { faults: [{ call: "createVolume", error: "" }] }, /error must be/],
    ["no times at all", { faults: [{ call: "createVolume", error: "X", times: 0 }] }, /times/],
    ["a wrapped driver's wrong options", { options: {} }, /directory/],
  ])("fault: %s", (_what, overrides, message) => {
    const base = { driver: "file", options: { directory: "/a" } };
    const withState = _what === "no state_directory" ? {} : { state_directory: "/s" };
    const options = { ...base, ...withState, ...overrides };
    expect(() => createDrivers(parseBackends([{ host: "node@b1", driver: "fault", options }]))).toThrow(
      expect.objectContaining({ name: "InvalidInput", message: expect.stringMatching(message) }),
    );
  });
});
