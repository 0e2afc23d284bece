import { describe, expect, test } from "vitest";
import {
  createMeter,
  fractionOf,
  percentOf,
  renderBar,
  renderReading,
  renderVolumeLine,
  stateOf,
} from "../../cli/progress.ts";
import { attemptOf } from "../../core/records.ts";
import { recordedOutput, volume, volumeAtWork, VOLUME_ID } from "../support/cli-context.ts";

const MIB = 1024 ** 2;

describe("the meter", () => {
  test("knows no rate after one sample", () => {
    expect(createMeter().read(10, 100, 0)).toEqual({ fraction: 0.1 });
  });

  test("tells rate and time left from two samples", () => {
    const meter = createMeter();
    meter.read(0, 100, 1000);
    expect(meter.read(20, 100, 3000)).toEqual({ fraction: 0.2, bytesPerSecond: 10, etaSeconds: 8 });
  });

  test("the same sample told again changes nothing", () => {
    const meter = createMeter();
    meter.read(0, 100, 1000);
    const first = meter.read(20, 100, 3000);
    expect(meter.read(20, 100, 3000)).toEqual(first);
  });

  test("forgets what is older than its window", () => {
    const meter = createMeter(10_000);
    meter.read(0, 1000, 0);
    meter.read(900, 1000, 1000);
    for (let second = 2; second <= 20; second += 1) {
      meter.read(900 + second, 1000, second * 1000);
    }
    expect(meter.read(921, 1000, 21_000).bytesPerSecond).toBeCloseTo(1);
  });

  test("stands still at a rate of 0 and names no end", () => {
    const meter = createMeter();
    meter.read(50, 100, 0);
    expect(meter.read(50, 100, 1000)).toEqual({ fraction: 0.5, bytesPerSecond: 0 });
  });

  test("begins anew when the work does", () => {
    const meter = createMeter();
    meter.read(0, 100, 0);
    meter.read(90, 100, 1000);
    expect(meter.read(0, 100, 2000)).toEqual({ fraction: 0 });
    expect(meter.read(10, 100, 3000)).toMatchObject({ bytesPerSecond: 10, etaSeconds: 9 });
  });

  test("a clock that goes back gives no rate out of nothing", () => {
    const meter = createMeter();
    meter.read(10, 100, 5000);
    expect(meter.read(20, 100, 4000).bytesPerSecond).toBeUndefined();
  });
});

describe("fraction and percent", () => {
  test.each([
    [0, 10, 0],
    [5, 10, 0.5],
    [11, 10, 1],
    [-1, 10, 0],
    [0, 0, 1],
  ])("%s of %s is %s", (done, total, fraction) => {
    expect(fractionOf(done, total)).toBe(fraction);
  });

  test("100 % is only said when all is done", () => {
    expect([percentOf(0.999), percentOf(1)]).toEqual([99, 100]);
  });
});

describe("the bar", () => {
  test.each([
    [0, "[░░░░]"],
    [0.49, "[█░░░]"],
    [0.5, "[██░░]"],
    [0.999, "[███░]"],
    [1, "[████]"],
    [7, "[████]"],
  ])("of %s is %s", (fraction, bar) => {
    expect(renderBar(fraction, 4)).toBe(bar);
  });
});

describe("a reading in words", () => {
  test("has percent, rate and time left", () => {
    const words = renderReading({ fraction: 0.43, bytesPerSecond: 128 * MIB, etaSeconds: 4 });
    expect(words).toBe(" 43 %  128 MiB/s  ETA 4.0 s");
  });

  test("leaves out what is not known, and what is over", () => {
    expect(renderReading({ fraction: 0.5 })).toBe(" 50 %");
    expect(renderReading({ fraction: 1, bytesPerSecond: MIB, etaSeconds: 0 })).toBe("100 %");
    expect(renderReading({})).toBe("");
  });
});

describe("a volume's line", () => {
  const reading = { fraction: 0.5, bytesPerSecond: MIB, etaSeconds: 9 };

  test("says what is going on where the status does not", () => {
    expect(stateOf(volumeAtWork({ phase: "queued" }))).toBe("creating (queued)");
    expect(stateOf(volumeAtWork({ phase: "creating" }))).toBe("creating");
    expect(stateOf(volume({ phase: "created" }))).toBe("available");
  });

  test("counts attempts by their number", () => {
    const attempt = { host: null, execution: "x", started_at: "", outcome: "running" as const };
    expect(attemptOf(volume({ attempts: {} }))).toBe(0);
    expect(attemptOf(volume({ attempts: { "9": attempt, "10": attempt } }))).toBe(10);
  });

  test("plain, has id, state, attempt, host and percent", () => {
    const line = renderVolumeLine(recordedOutput(), volumeAtWork(), reading);
    expect(line.split(/ {2,}/)).toEqual([
      VOLUME_ID,
      "creating",
      "attempt 1",
      "storage@file1#pool",
      "50 %",
      "1.0 MiB/s",
      "ETA 9.0 s",
    ]);
  });

  test.each([80, 100, 120, 160])("on a terminal of %s columns fits its width", (columns) => {
    const line = renderVolumeLine(recordedOutput(true, columns), volumeAtWork(), reading, columns === 80);
    expect(line.length).toBeLessThanOrEqual(columns);
    expect(line).toContain("50 %");
  });

  test("draws the bar where there is room for it", () => {
    const drawn = (columns: number) =>
      renderVolumeLine(recordedOutput(true, columns), volumeAtWork(), reading).includes("█");
    expect([drawn(100), drawn(140)]).toEqual([false, true]);
  });

  test("of a volume in error names the fault in one line", () => {
    const fault = { error: "NoValidBackend", cause: "none\nleft\u001b[2J", attempt: 1, at: "", attempts: [] };
    const line = renderVolumeLine(recordedOutput(), volume({ status: "error", fault }), undefined);
    expect(line).toContain("NoValidBackend: none left\uFFFD[2J");
    expect(line).not.toMatch(/\p{Cc}/u);
  });
});
