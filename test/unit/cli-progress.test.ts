import { describe, expect, test } from "vitest";
import {
  createMeter,
  fractionOf,
  percentOf,
  renderBar,
  renderReading,
  readingOf,
  renderVolumeLine,
  stateOf,
} from "../../cli/progress.ts";
import { attemptOf, type CopyProgress } from "../../core/records.ts";
import { recordedOutput, volume, volumeAtWork, VOLUME_ID } from "../support/cli-context.ts";

const MIB = 1024 ** 2;

describe("the meter", () => {
  test("knows no rate after one sample", () => {
    expect(createMeter().read(10, 100, 0)).toEqual({ fraction: 0.1 });
  });

  test("derives rate and time left from two samples", () => {
    const meter = createMeter();
    meter.read(0, 100, 1000);
    expect(meter.read(20, 100, 3000)).toEqual({ fraction: 0.2, bytesPerSecond: 10, etaSeconds: 8 });
  });

  test("a repeated sample changes nothing", () => {
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

  test("begins again when the work does", () => {
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

describe("a copy's reading", () => {
  const at = new Date("2026-03-04T05:06:07.000Z");
  const later = (seconds: number) => new Date(at.getTime() + seconds * 1000);
  const progress = { bytes_done: 20, bytes_total: 100, bytes_per_second: 10, updated_at: at.toISOString() };
  const read = (changes: Partial<CopyProgress>, now = at) => readingOf({ progress: { ...progress, ...changes } }, now);

  test("comes from its record", () => {
    expect(read({})).toEqual({ bytesDone: 20, bytesTotal: 100, fraction: 0.2, bytesPerSecond: 10, etaSeconds: 8 });
    expect(readingOf({ progress: null }, at)).toBeUndefined();
  });

  test("counts the time down between two figures, and never below nothing", () => {
    expect([read({}, later(3))?.etaSeconds, read({}, later(9))?.etaSeconds]).toEqual([5, 0]);
  });

  test("has neither rate nor end when the record has no rate, or has not changed for long", () => {
    const { bytes_per_second: _, ...untold } = progress;
    const bytesOnly = { bytesDone: 20, bytesTotal: 100, fraction: 0.2 };
    expect([readingOf({ progress: untold }, at), read({}, later(61))]).toEqual([bytesOnly, bytesOnly]);
    expect(read({}, later(60))?.bytesPerSecond).toBe(10);
  });

  test("of a copy that stands still has no end", () => {
    expect(read({ bytes_per_second: 0 })).not.toHaveProperty("etaSeconds");
  });

  test("bears a clock that is behind", () => {
    expect(read({}, later(-100))?.etaSeconds).toBe(8);
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

  test("has the bytes where they are known", () => {
    const words = renderReading({ bytesDone: 43 * MIB, bytesTotal: 100 * MIB, fraction: 0.43 });
    expect(words).toBe(" 43 %  43.0 MiB of 100 MiB");
  });

  test("leaves out what is not known, and what is over", () => {
    expect(renderReading({ fraction: 0.5 })).toBe(" 50 %");
    expect(renderReading({ fraction: 1, bytesPerSecond: MIB, etaSeconds: 0 })).toBe("100 %");
    expect(renderReading({})).toBe("");
  });
});

describe("a volume's line", () => {
  const reading = { fraction: 0.5, bytesPerSecond: MIB, etaSeconds: 9 };

  test("shows the phase if the status does not say it", () => {
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

  test("on a terminal has the bytes where there is room for them", () => {
    const full = { ...reading, bytesDone: 512 * MIB, bytesTotal: 1024 * MIB };
    const lines = [80, 120].map((columns) =>
      renderVolumeLine(recordedOutput(true, columns), volumeAtWork(), full, true),
    );
    expect(lines.map((line) => line.includes("512 MiB of 1.0 GiB"))).toEqual([false, true]);
    expect(lines.map((line) => line.length <= 120 && line.includes("50 %"))).toEqual([true, true]);
    expect(lines[0]?.length).toBeLessThanOrEqual(80);
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
