import { describe, expect, test } from "vitest";
import type { FilterProperties } from "../../core/scheduling/request.ts";
import { addRetryBackend, attemptOfRequest, populateRetry, redrivenRetry } from "../../core/scheduling/retry.ts";
import { vectors } from "../support/scheduler-vectors.ts";

describe("retry bookkeeping, as Cinder's", () => {
  test.each(vectors.populate_retry.filter(({ raises }) => raises !== "KeyError"))("$name", (vector) => {
    const populated = populateRetry(vector.filter_properties ?? {}, vector.max_attempts, "VOL");
    expect(populated.filterProperties).toEqual(vector.after);
    expect(populated.noValidBackend?.message ?? null).toBe(vector.message);
  });
});

describe("counting an attempt", () => {
  const second = { num_attempts: 1, backends: ["h@b#p"], hosts: ["h@b#p"] };

  test("adds one to the attempts and keeps what was tried", () => {
    expect(populateRetry({ retry: second, size: 5 }, 3, "VOL").filterProperties).toEqual({
      retry: { ...second, num_attempts: 2 },
      size: 5,
    });
  });

  test("takes the traceback out and hands it over with the last backend", () => {
    const populated = populateRetry({ retry: { ...second, exc: ["Traceback", "boom"] } }, 3, "VOL");
    expect(populated).toMatchObject({ exc: ["Traceback", "boom"], lastBackend: "h@b#p" });
    expect(populated.filterProperties.retry).not.toHaveProperty("exc");
  });

  test("ends the request after the last attempt, with the message of Cinder and the count kept", () => {
    const populated = populateRetry({ retry: { ...second, num_attempts: 3 } }, 3, "VOL");
    expect(populated.noValidBackend?.message).toBe(
      "No valid backend was found. Exceeded max scheduling attempts 3 for resource VOL",
    );
    expect(populated.noValidBackend?.name).toBe("NoValidBackend");
    expect(populated.filterProperties.retry?.num_attempts).toBe(4);
  });

  test("with one attempt allowed takes the retry out altogether", () => {
    expect(populateRetry({ retry: { ...second, exc: ["boom"] }, size: 5 }, 1, "VOL")).toEqual({
      filterProperties: { size: 5 },
      exc: null,
      lastBackend: null,
      noValidBackend: null,
    });
  });

  test.each([
    [{ backends: ["a", "b"] }, 3],
    [{ hosts: ["a"] }, 2],
    [{ exc: ["boom"] }, 1],
    [{ num_attempts: -5, backends: ["a"] }, 2],
    [{ num_attempts: 0.5 }, 1],
  ])("a retry without a usable count, %j, goes by the backends it lists", (retry, attempt) => {
    expect(populateRetry({ retry }, 5, "VOL").filterProperties.retry?.num_attempts).toBe(attempt);
    expect(attemptOfRequest({ retry })).toBe(attempt);
  });

  test("a redriven request continues the numbering, and starts the count again", () => {
    const redriven: FilterProperties = { retry: redrivenRetry(4) };
    expect(attemptOfRequest(redriven)).toBe(4);
    const first = populateRetry(redriven, 3, "VOL");
    expect(first.noValidBackend).toBeNull();
    expect(first.filterProperties.retry).toMatchObject({ num_attempts: 1, backends: [], hosts: [] });
    expect(attemptOfRequest(addRetryBackend(first.filterProperties, "h@b#p"))).toBe(5);
  });

  test.each([[null], ["3"], [-1], [0.5], [{}], [2 ** 53 - 1]])("earlier attempts of %j count as 0", (before) => {
    expect(attemptOfRequest({ retry: { num_attempts: 1, attempts_before_redrive: before } })).toBe(2);
  });

  test("a count that is lost at every attempt does not go round for ever", () => {
    let properties: FilterProperties = {};
    let placements = 0;
    for (; placements < 10; placements += 1) {
      const populated = populateRetry(properties, 3, "VOL");
      if (populated.noValidBackend !== null) {
        break;
      }
      const { num_attempts: _lost, ...retry } = addRetryBackend(populated.filterProperties, "h@b#p").retry ?? {};
      properties = { retry };
    }
    expect(placements).toBe(3);
  });

  test("does not change the properties it was given", () => {
    const retry = Object.freeze({ ...second, backends: Object.freeze(["h@b#p"]) });
    const populated = populateRetry(Object.freeze({ retry }), 3, "VOL");
    expect(addRetryBackend(populated.filterProperties, "x").retry?.backends).toEqual(["h@b#p", "x"]);
    expect(retry.backends).toEqual(["h@b#p"]);
  });
});

describe("noting the chosen backend", () => {
  test.each([
    [
      { num_attempts: 1, backends: [], hosts: [] },
      { num_attempts: 1, backends: ["x"], hosts: ["x"] },
    ],
    [
      { num_attempts: 1, hosts: ["a"] },
      { num_attempts: 1, hosts: ["a", "x"] },
    ],
    [
      { num_attempts: 1, backends: null },
      { num_attempts: 1, backends: null },
    ],
    [{}, {}],
    [null, null],
  ])("in %j gives %j", (retry, expected) => {
    expect(addRetryBackend({ retry }, "x")).toEqual({ retry: expected });
  });

  test("adds no retry where rescheduling is off", () => {
    expect(addRetryBackend({ size: 5 }, "x")).toEqual({ size: 5 });
  });
});
