// @ts-nocheck
import { describe, expect, test } from "vitest";
import { recordedRun, runLoop } from "../../verify/conformance/vectors/create-loop.ts";
import { vectors } from "../support/scheduler-vectors.ts";

describe("creating a volume over several attempts goes as in Cinder", () => {
  test.each(vectors.create_loops)("$name", (loop) => {
    expect(runLoop(loop)).toEqual(recordedRun(loop));
  });
});
