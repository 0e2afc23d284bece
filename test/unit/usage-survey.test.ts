import { expect, it } from "vitest";
import { UsageSurvey } from "../../adapters/file/usage-survey.ts";
import { uuid } from "../support/drivers.ts";

/** The id of the n-th file; ids of real volumes are drawn at random, so their first digits are all alike frequent. */
const idOf = (index: number): string => `${(index % 256).toString(16).padStart(2, "0")}${uuid(index).slice(2)}`;

/** A directory of so many files, of which each look takes a while by a clock that only this moves. */
function directory(count: number, millisecondsEach: number, bytesOf: (index: number) => number = () => 4096) {
  const state = { nowMs: 0, looks: 0, count };
  const survey = new UsageSurvey(
    {
      names: async function* names() {
        for (let index = 0; index < state.count; index += 1) {
          yield { name: `volume-${index}`, id: idOf(index) };
        }
      },
      bytesOf: async (name) => {
        state.looks += 1;
        state.nowMs += millisecondsEach;
        return bytesOf(Number(name.slice("volume-".length)));
      },
    },
    () => state.nowMs,
  );
  return { state, survey };
}

it("few files are all looked at by each survey", async () => {
  const { state, survey } = directory(100, 1, (index) => index);
  expect(await survey.usedBytes()).toBe(4950);
  expect(await survey.usedBytes()).toBe(4950);
  expect(state.looks).toBe(200);
});

it("a survey of 100,000 files at 1 ms each ends in time, and estimates those that it has not seen", async () => {
  const { state, survey } = directory(100_000, 1);
  expect(await survey.usedBytes()).toBe(100_000 * 4096);
  expect(state.nowMs).toBeLessThan(3_100);
});

it("further surveys look at the files that were not looked at for the longest, until all are known", async () => {
  const { state, survey } = directory(20_480, 0.5, (index) => (index % 256 < 128 ? 8192 : 0));
  const exact = 10_240 * 8192;
  expect(await survey.usedBytes()).not.toBe(exact);
  for (let round = 0; round < 4; round += 1) {
    await survey.usedBytes();
  }
  expect(await survey.usedBytes()).toBe(exact);
  expect(state.looks).toBeLessThan(7 * 6_100);
});

it("files that are gone take nothing", async () => {
  const { state, survey } = directory(10, 1);
  expect(await survey.usedBytes()).toBe(10 * 4096);
  state.count = 4;
  expect(await survey.usedBytes()).toBe(4 * 4096);
});

it("no file takes nothing", async () => {
  expect(await directory(0, 1).survey.usedBytes()).toBe(0);
});

it("a listing that is too slow is used as far as it has come", async () => {
  let nowMs = 0;
  const survey = new UsageSurvey(
    {
      names: async function* names() {
        for (let index = 0; ; index += 1) {
          nowMs += 10;
          yield { name: `volume-${index}`, id: idOf(index) };
        }
      },
      bytesOf: async () => 1,
    },
    () => nowMs,
  );
  await survey.usedBytes();
  expect(nowMs).toBeLessThan(3_100);
});
