import { describe, expect, test } from "vitest";
import { alarmsAnswer, parseRunbook, readRunbook } from "../../cli/console/alarms-answer.ts";
import type { Alarm } from "../../cli/connection.ts";

const RUNBOOK = parseRunbook(
  "# Runbook\n\nIntro.\n\n## DeadLetters\n\n**Lost.** Look.\n\n1. One.\n\n## Other\n\nText.\n",
);

function alarm(changes: Partial<Alarm>): Alarm {
  const description = "A message could not be worked on. docs/runbook.md#deadletters";
  return { name: "stack-X1", description, state: "OK", reason: "", since: null, ...changes };
}

async function shown(...alarms: Alarm[]) {
  const connection = { alarms: async () => ({ list: async () => alarms }) };
  return (await alarmsAnswer({ connection: connection as never }, RUNBOOK)).alarms;
}

describe("the alarms of the console", () => {
  test("have the section of the runbook that their description names", async () => {
    expect(await shown(alarm({}))).toMatchObject([
      { title: "DeadLetters", what: "A message could not be worked on", runbook: "**Lost.** Look.\n\n1. One." },
    ]);
  });

  test("are shown without a section when the runbook has none", async () => {
    expect(await shown(alarm({ description: "Own text" }))).toMatchObject([
      { title: "stack-X1", what: "Own text", runbook: null },
    ]);
  });

  test("begin with those that are on", async () => {
    const states = (["OK", "ALARM", "INSUFFICIENT_DATA"] as const).map((state) => alarm({ name: state, state }));
    expect((await shown(...states)).map(({ state }) => state)).toEqual(["ALARM", "INSUFFICIENT_DATA", "OK"]);
  });

  test("find each section of this version's runbook", async () => {
    expect([...(await readRunbook()).keys()]).toContain("orphans");
  });
});
