import { StartExecutionCommand } from "@aws-sdk/client-sfn";
import { expect, it } from "vitest";
import { deploy, inlineFunction, resource, stateMachine, task, until } from "../support/fixtures.ts";

const STATES = 8;
const EXECUTIONS = 200;
const IN_FLIGHT = 32;

/** How fast they are is for `npm run bench`. */
it("runs hundreds of executions of an eight-state machine, many at a time, each to its own end", async () => {
  const ids = Array.from({ length: STATES }, (_, index) => `Step${index}`);
  const states = Object.fromEntries(
    ids.map((id, index) => [id, task(id, index + 1 < STATES ? { Next: ids[index + 1] } : { End: true })]),
  );
  await using under = await deploy({
    ...Object.fromEntries(ids.map((id) => [id, inlineFunction("return { ...event, count: event.count + 1 };")])),
    Machine: stateMachine({ StartAt: "Step0", States: states }, ids),
  });
  const stateMachineArn = resource(under.cloud, "Machine");
  const numbers = Array.from({ length: EXECUTIONS }, (_, number) => number);
  for (let first = 0; first < EXECUTIONS; first += IN_FLIGHT) {
    await Promise.all(
      numbers
        .slice(first, first + IN_FLIGHT)
        .map((number) =>
          under.sfn.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify({ number, count: 0 }) })),
        ),
    );
    await until(() => under.cloud.executions.list({ status: "RUNNING" }).length === 0);
  }
  const ended = under.cloud.executions.list().map(({ status, output }) => ({ status, output }));
  expect(ended).toHaveLength(EXECUTIONS);
  expect(ended).toEqual(
    expect.arrayContaining(
      numbers.map((number) => ({ status: "SUCCEEDED", output: JSON.stringify({ number, count: STATES }) })),
    ),
  );
});
