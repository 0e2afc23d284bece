import { describe, expect, it } from "vitest";
import { nameOfFile } from "../../local/demo/result.ts";

const ID = "4b2784a2-8886-4983-9f51-0602d21663b4";
const SNAPSHOT_ID = "d17527c8-a1bb-4095-b624-ded95110e7c6";
const WISHES = { "second-try": { id: ID, name: "second-try" } } as const;

describe("the name of a file on a backend", () => {
  it.each([
    ["the volume's, for the file of its first attempt", `first/volume-${ID}`, "second-try"],
    ["the volume's, for the file of a later attempt", `second/volume-${ID}-a2`, "second-try"],
    ["snapshot, for the snapshot's file", `second/snapshot-${SNAPSHOT_ID}`, "snapshot"],
    ["?, for a file that nothing was asked for by", `first/volume-${SNAPSHOT_ID}`, "?"],
    ["?, for a file that the driver did not make", "first/notes.txt", "?"],
  ])("is %s", (_what, file, name) => {
    expect(nameOfFile(file, WISHES, { id: SNAPSHOT_ID })).toBe(name);
  });
});
