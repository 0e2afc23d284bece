import { expect, it } from "vitest";
import { benchCalls } from "../../bench/calls.ts";
import { estimate } from "../../cli/cost/estimate.ts";
import { addWork, INDEX_UNITS_OF_A_RAW_CREATE } from "../../cli/cost/work.ts";

it("the receipt of a raw create has the calls that are counted on the way", async () => {
  const counted = await benchCalls(5);
  const { steps } = estimate({ volumes: 1, imageGib: 0, copyMibPerSecond: 100 });
  const work = addWork(steps.map((step) => step.work));
  expect(work.state_transition).toBe(counted.state_transitions);
  expect(work.dynamodb_write_unit - INDEX_UNITS_OF_A_RAW_CREATE).toBe(counted.write_units);
  expect(work.sns_publish).toBe(counted.by_call["sns Publish"]);
});
