// @ts-nocheck
import { tmpdir } from "node:os";
import { StartExecutionCommand } from "@aws-sdk/client-sfn";
import { expect, it, vi } from "vitest";
import { startEmbeddedCloud } from "../../local/cloud/embedded-cloud.ts";
import { deploy, inlineFunction, resource, stateMachine, task, until } from "../support/cloud-fixtures.ts";

vi.setConfig({ testTimeout: 60_000 });

/**
 * Floors far below what an idle machine does (see local/cloud/README.md), for the suite shares two cores with itself: they catch a
 * timer where an event should be, not a slow day.
 */
const MINIMUM_INVOCATIONS_PER_SECOND = 200;
const MAXIMUM_START_MILLISECONDS = 5000;

const STATES = 8;
const EXECUTIONS = 200;
const IN_FLIGHT = 32;

it("runs an eight-state machine of functions that do nothing", async () => {
  const ids = Array.from({ length: STATES }, (_, index) => `Step${index}`);
  const states = Object.fromEntries(
    ids.map((id, index) => [id, task(id, index + 1 < STATES ? { Next: ids[index + 1] } : { End: true })]),
  );
  await using under = await deploy({
    ...Object.fromEntries(ids.map((id) => [id, inlineFunction("return { ...event, count: event.count + 1 };")])),
    Machine: stateMachine({ StartAt: "Step0", States: states }, ids),
  });
  const stateMachineArn = resource(under.cloud, "Machine");
  await under.run("Machine", { count: 0 });
  const started = performance.now();
  for (let first = 0; first < EXECUTIONS; first += IN_FLIGHT) {
    const count = Math.min(IN_FLIGHT, EXECUTIONS - first);
    await Promise.all(
      Array.from({ length: count }, () =>
        under.sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{"count":0}' })),
      ),
    );
    await until(() => under.cloud.executions.list({ status: "RUNNING" }).length === 0);
  }
  const seconds = (performance.now() - started) / 1000;
  const outputs = under.cloud.executions.list({ status: "SUCCEEDED" }).map(({ output }) => output);
  expect(outputs).toHaveLength(EXECUTIONS + 1);
  expect(new Set(outputs)).toEqual(new Set(['{"count":8}']));
  expect((EXECUTIONS * STATES) / seconds).toBeGreaterThan(MINIMUM_INVOCATIONS_PER_SECOND);
});

it("starts an empty cloud at once", async () => {
  const started = performance.now();
  const cloud = await startEmbeddedCloud({ template: { Resources: {} }, assetDirectory: tmpdir() });
  const milliseconds = performance.now() - started;
  await cloud.stop();
  expect(milliseconds).toBeLessThan(MAXIMUM_START_MILLISECONDS);
});
