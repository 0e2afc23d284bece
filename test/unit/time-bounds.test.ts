import { describe, expect, it } from "vitest";
import {
  longestUndecidedSeconds,
  parsePhaseBounds,
  parseTimeBounds,
  DEFAULT_PHASE_BOUNDS,
  phaseBoundsOf,
  phaseDeadline,
  visibilitySeconds,
} from "../../core/settings/time-bounds.ts";

const clock = { now: () => new Date("2026-01-01T00:00:00.000Z") };

describe("the time bounds", () => {
  it("are the published ones when nothing is named", () => {
    expect(phaseBoundsOf(parseTimeBounds({}))).toEqual(DEFAULT_PHASE_BOUNDS);
    expect(visibilitySeconds(parseTimeBounds({}))).toBe(180);
  });

  it("leave a volume undecided for the longest phase and two sweeps at most", () => {
    expect(longestUndecidedSeconds(parseTimeBounds({}))).toBe(3600 + 120);
    expect(longestUndecidedSeconds(parseTimeBounds({ copying_seconds: 7200, sweep_interval_seconds: 120 }))).toBe(7440);
  });

  it("may be short where the functions' time-outs are", () => {
    const short = {
      short_function_timeout_seconds: 2,
      long_function_timeout_seconds: 4,
      queued_seconds: 61,
      scheduled_seconds: 37,
      creating_seconds: 19,
      copying_seconds: 19,
    };
    expect(parseTimeBounds(short)).toMatchObject(short);
  });

  it.each<[unknown, RegExp]>([
    [{ queue_seconds: 5 }, /time_bounds: there is no queue_seconds/],
    [{ queued_seconds: "900" }, /queued_seconds must be a whole number of seconds from 1 to 86400/],
    [{ scheduled_seconds: 0 }, /scheduled_seconds must be a whole number of seconds/],
    [{ creating_seconds: 1e9 }, /creating_seconds must be a whole number of seconds/],
    [{ sweep_interval_seconds: 90 }, /sweep_interval_seconds must be whole minutes/],
    [{ long_function_timeout_seconds: 901 }, /long_function_timeout_seconds must be .* from 1 to 900/],
    [{ queued_seconds: 900 }, /queued_seconds must be more than 900, the deliveries of a scheduler message; it is 900/],
    [{ scheduled_seconds: 288 }, /scheduled_seconds must be more than 288/],
    [{ creating_seconds: 2706 }, /creating_seconds must be more than 2706, one turn/],
    [{ copying_seconds: 2706 }, /copying_seconds must be more than 2706, one turn/],
    [{ open_claim_seconds: 96 }, /open_claim_seconds must be more than 96, CreateVolumeOnFinish/],
    [[], /time_bounds: /],
    ["soon", /time_bounds: it must be an object/],
  ])("are refused, with what is wrong: %j", (value, message) => {
    expect(() => parseTimeBounds(value)).toThrow(message);
  });
});

describe("a phase's deadline", () => {
  it("follows the published bound where the deployment names none", () => {
    expect(phaseDeadline({ clock }, "scheduled").toISOString()).toBe("2026-01-01T00:10:00.000Z");
  });

  it("follows the deployment's own bound", () => {
    const phaseBounds = { ...DEFAULT_PHASE_BOUNDS, scheduled: 40 };
    expect(phaseDeadline({ clock, phaseBounds }, "scheduled").toISOString()).toBe("2026-01-01T00:00:40.000Z");
  });
});

describe("the bounds in a function's environment", () => {
  it("are read as the stack writes them", () => {
    expect(parsePhaseBounds(JSON.stringify(DEFAULT_PHASE_BOUNDS))).toEqual(DEFAULT_PHASE_BOUNDS);
  });

  it.each(["", "{", "{}", '{"queued":"soon"}'])("are refused when they are unreadable: %s", (text) => {
    expect(() => parsePhaseBounds(text)).toThrow("the phases' bounds in the environment are unreadable");
  });
});
