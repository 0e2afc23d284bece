import { beforeEach, describe, expect, it } from "vitest";
import type { AlarmSettings } from "@cinderless/embedded-cloud/monitoring";
import { Account, START } from "../../simulation/account.ts";
import { FIRST_HOST, uuidOf } from "../../simulation/identifiers.ts";
import { checkInvariants } from "../../verify/faults/invariants.ts";
import type { Scenario } from "../../verify/faults/scenario.ts";
import { queuedVolume } from "../support/records.ts";

/** The eleventh invariant, that alarms report everything which needs a person, in an account with alarms by hand. */

const ID = uuidOf(1);
const SCENARIO: Scenario = { name: "by hand", end: "error", begin: () => [ID] };
const QUEUES = [
  { name: "letters", visibilitySeconds: 30, maxReceiveCount: null, deadLetterQueue: null, consumer: null },
  { name: "casts", visibilitySeconds: 30, maxReceiveCount: 5, deadLetterQueue: "letters", consumer: null },
];

function alarm(name: string, columns: Partial<AlarmSettings> = {}): AlarmSettings {
  return {
    id: name,
    metrics: [{ id: "m", name, dimensions: {}, statistic: "Sum", periodSeconds: 300 }],
    formula: "m",
    threshold: 1,
    comparison: "GreaterThanOrEqualToThreshold",
    periods: 1,
    missing: "notBreaching",
    periodSeconds: 300,
    acts: true,
    ...columns,
  };
}

let account: Account;

function accountWith(...alarms: AlarmSettings[]): Account {
  const made = new Account({ definition: { StartAt: "None", States: {} }, queues: QUEUES, rules: [], alarms }, 1);
  made.stores.addBackend(FIRST_HOST, START);
  return made;
}

const unheard = (): string[] => {
  checkInvariants(account, SCENARIO, [ID], undefined);
  return account.violations.filter(({ invariant }) => invariant === 11).map(({ text }) => text);
};

describe("a volume that could not be scheduled", () => {
  const fault = { error: "NoValidBackend", cause: "none", attempt: 1, at: START, attempts: [] };

  function unscheduled(...alarms: AlarmSettings[]): void {
    account = accountWith(...alarms);
    account.stores.volumes.records.set(ID, queuedVolume({ id: ID, status: "error", deadline: null, fault }));
  }

  it("is heard of when the metric was raised and an alarm watches it", () => {
    unscheduled(alarm("Cinderless/UnscheduledCreates"));
    account.measure("Cinderless/UnscheduledCreates", 1);
    expect(unheard()).toEqual([]);
  });

  it.each<[string, AlarmSettings[], number]>([
    ["nothing is raised", [alarm("Cinderless/UnscheduledCreates")], 0],
    ["no alarm watches what is raised", [], 1],
    ["its alarm has no topic", [alarm("Cinderless/UnscheduledCreates", { acts: false })], 1],
  ])("is not heard of when %s", (_what, alarms, value) => {
    unscheduled(...alarms);
    account.measure("Cinderless/UnscheduledCreates", value);
    expect(unheard()).toEqual([expect.stringContaining(`volume ${ID} is in error by NoValidBackend`)]);
  });
});

describe("a backend that does not report", () => {
  beforeEach(() => {
    account = accountWith(alarm("Cinderless/UnreportedBackends"));
  });

  it.each(["hangs", "isUnbuildable"] as const)("because it %s has to be heard of", (state) => {
    Object.assign(account.stores.drivers.get(FIRST_HOST) ?? {}, { [state]: true });
    expect(unheard()).toEqual([`${FIRST_HOST} does not report, and no alarm watches anything that was raised`]);
    account.violations.length = 0;
    account.measure("Cinderless/UnreportedBackends", 1);
    expect(unheard()).toEqual([]);
  });
});

it("an alarm is on in the period in which its formula breaches", () => {
  account = accountWith(alarm("Cinderless/DeadLetters"), alarm("Cinderless/Orphans"));
  account.measure("Cinderless/DeadLetters", 1);
  account.measure("Cinderless/Orphans", 0);
  expect(account.monitor.alarmed(account.startMs + 1000)).toEqual(["Cinderless/DeadLetters"]);
});
