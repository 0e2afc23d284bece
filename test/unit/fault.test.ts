import { describe, expect, it } from "vitest";
import { attemptLine, causeText, buildFault, readFailure } from "../../core/fault.ts";
import type { Attempt } from "../../core/records.ts";
import { aVolumeInFlow } from "../support/builders.ts";
import { START } from "../support/fakes/world.ts";

const attempt = (columns: Partial<Attempt> = {}): Attempt => ({
  host: "node@first#pool",
  execution: "e",
  started_at: START,
  outcome: "rescheduled",
  error: "E",
  cause: "c",
  ...columns,
});

describe("a failure that a Catch hands on", () => {
  it("of a function is its error's message and trace", () => {
    const Cause = JSON.stringify({ errorType: "E", errorMessage: "no space", trace: ["a", 7, "b"] });
    expect(readFailure({ Error: "E", Cause })).toEqual({ error: "E", cause: "no space", trace: ["a", "b"] });
  });

  it.each(["plain words", "", "{", "null", "[]", "7", '{"errorMessage":7}', '{"other":"x"}'])(
    "of another kind is its text: %s",
    (Cause) => {
      expect(readFailure({ Error: "States.Timeout", Cause })).toEqual({
        error: "States.Timeout",
        cause: Cause,
        trace: [],
      });
    },
  );

  it("is cut to a bounded length", () => {
    const Cause = JSON.stringify({ errorMessage: "x".repeat(100_000) });
    expect(readFailure({ Error: "E", Cause }).cause).toHaveLength(500);
    expect(causeText("abc", 2)).toBe("a\u2026");
    expect(causeText("ab", 2)).toBe("ab");
  });
});

describe("a fault", () => {
  it("names every attempt before its own, in order, as one line each", () => {
    const volume = aVolumeInFlow({
      attempts: {
        10: attempt({ error: "Ten" }),
        2: attempt({ host: null, error: "Two", cause: "x", suspected_orphan: true }),
        1: attempt({ error: "One" }),
        11: attempt({ error: "Mine" }),
      },
    });
    expect(buildFault(volume, 11, "Mine", "why", new Date(START))).toEqual({
      error: "Mine",
      cause: "why",
      attempt: 11,
      at: START,
      attempts: [
        "attempt 1 on node@first#pool: One: c",
        "attempt 2 on no host: Two: x (may have left something there)",
        "attempt 10 on node@first#pool: Ten: c",
      ],
    });
  });

  it("names the last twenty of very many", () => {
    const attempts = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [index + 1, attempt()]));
    const { attempts: lines } = buildFault(aVolumeInFlow({ attempts }), 41, "E", "c", new Date(START));
    expect(lines).toHaveLength(20);
    expect(lines.at(-1)).toMatch(/^attempt 40 /);
  });

  it("says the outcome of an attempt that ended without an error", () => {
    const { error: _error, cause: _cause, ...running } = attempt({ outcome: "running" });
    expect(attemptLine("1", running)).toBe("attempt 1 on node@first#pool: running");
  });
});
