import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { profilesFile, readProfile } from "../../cli/profiles.ts";

let directory: string;
let file: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "cinderless-profiles-"));
  file = path.join(directory, "config.yaml");
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const read = (text: string, name: string | undefined, environment: Record<string, string> = {}) => {
  writeFileSync(file, text);
  return readProfile(name, { CINDERLESS_CONFIG: file, ...environment });
};

const FILE = `
profiles:
  staging: { stack: Cinderless, aws_profile: staging, region: eu-west-1, project: p }
  here: { outputs: outputs.json }
  home: { outputs: ~/outputs.json }
  wrong: { stacks: X }
`;

describe("a profile", () => {
  test("is read by its name, or by that of the environment", async () => {
    const staging = { stack: "Cinderless", aws_profile: "staging", region: "eu-west-1", project: "p" };
    expect(await read(FILE, "staging")).toEqual(staging);
    expect(await read(FILE, undefined, { CINDERLESS_PROFILE: "staging" })).toEqual(staging);
  });

  test("is empty when none is named, and no file is needed then", async () => {
    expect(await readProfile(undefined, { CINDERLESS_CONFIG: "/nowhere" })).toEqual({});
  });

  test("names outputs relative to its file, or to the home directory", async () => {
    expect(await read(FILE, "here")).toEqual({ outputs: path.join(directory, "outputs.json") });
    expect(await read(FILE, "home", { HOME: "/home/me" })).toEqual({ outputs: "/home/me/outputs.json" });
  });

  test.each([
    [FILE, "production", "has no profile 'production'"],
    [FILE, "toString", "has no profile 'toString'"],
    [FILE, "wrong", "profile 'wrong' is wrong: stacks"],
    ["profiles: [", "staging", "is not valid YAML"],
    ["[]", "staging", "has no profiles"],
  ])("that cannot be read is reported with the file: %j %s", async (text, name, message) => {
    await expect(read(text, name)).rejects.toThrow(message);
  });

  test("needs its file", async () => {
    await expect(readProfile("staging", { CINDERLESS_CONFIG: "/nowhere/config.yaml" })).rejects.toThrow(
      "profile 'staging' needs the file of profiles: /nowhere/config.yaml",
    );
  });
});

test("profiles are in the user's configuration directory unless a file is named", () => {
  expect(profilesFile({ HOME: "/home/me" })).toBe("/home/me/.config/cinderless/config.yaml");
  expect(profilesFile({ HOME: "/home/me", XDG_CONFIG_HOME: "/x" })).toBe("/x/cinderless/config.yaml");
  expect(profilesFile({ CINDERLESS_CONFIG: "/c.yaml", HOME: "/home/me" })).toBe("/c.yaml");
});
