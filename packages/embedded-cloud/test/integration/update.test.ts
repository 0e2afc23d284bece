import { tmpdir } from "node:os";
import { StartExecutionCommand } from "@aws-sdk/client-sfn";
import { expect, it } from "vitest";
import { deploy, inlineFunction, resource, stateMachine, task, until } from "../support/fixtures.ts";

const WAIT = { Type: "Wait", Seconds: 1, Next: "Answer" };
const machine = (result: string) =>
  stateMachine(
    {
      StartAt: "Wait",
      States: { Wait: WAIT, Answer: task("Answer", { Next: result }), [result]: { Type: "Succeed" } },
    },
    ["Answer"],
  );
const template = (release: string) => ({
  Resources: { Answer: inlineFunction(`return "${release}";`), Machine: machine(`Release${release}`) },
});
const next = (release: string) => ({ template: template(release), assetDirectory: tmpdir() });

it("an execution keeps its definition through an update, and meets the functions of the new release", async () => {
  await using under = await deploy(template("One").Resources);
  const stateMachineArn = resource(under.cloud, "Machine");
  const { executionArn = "" } = await under.sfn.send(new StartExecutionCommand({ stateMachineArn, name: "across" }));
  await under.cloud.update(next("Two"));
  await until(() => under.cloud.executions.describe(executionArn).status !== "RUNNING");
  expect(under.cloud.executions.describe(executionArn)).toMatchObject({ status: "SUCCEEDED", output: '"Two"' });
  const states = under.cloud.executions.history(executionArn).map(({ type }) => type);
  expect(states).toContain("SucceedStateEntered");
  expect(JSON.stringify(under.cloud.executions.history(executionArn))).toContain("ReleaseOne");
});

it("an execution that is started after an update runs the new definition", async () => {
  await using under = await deploy(template("One").Resources);
  await under.cloud.update(next("Two"));
  const { executionArn = "" } = await under.run("Machine");
  expect(JSON.stringify(under.cloud.executions.history(executionArn))).toContain("ReleaseTwo");
});

it("the name of an execution that ended before an update stays taken", async () => {
  await using under = await deploy(template("One").Resources);
  await under.run("Machine", {}, "once");
  await under.cloud.update(next("Two"));
  const again = new StartExecutionCommand({ stateMachineArn: resource(under.cloud, "Machine"), name: "once" });
  await expect(under.sfn.send(again)).rejects.toMatchObject({ name: "ExecutionAlreadyExists" });
});

it("an invocation that runs during an update ends in its own code", async () => {
  const slow = (release: string) => ({
    Answer: inlineFunction(`await new Promise((done) => setTimeout(done, 500)); return "${release}";`),
    Machine: stateMachine({ StartAt: "Answer", States: { Answer: task("Answer") } }, ["Answer"]),
  });
  await using under = await deploy(slow("One"));
  const running = under.run("Machine", {}, "slow");
  await until(() => (under.cloud.counters.lambdaInvocations[resource(under.cloud, "Answer")] ?? 0) > 0);
  await under.cloud.update({ template: { Resources: slow("Two") }, assetDirectory: tmpdir() });
  expect(await running).toMatchObject({ status: "SUCCEEDED", output: '"One"' });
});

it("a change of a rule is refused, and nothing is changed then", async () => {
  const withRule = (minutes: number, release: string) => ({
    ...template(release).Resources,
    Rule: {
      Type: "AWS::Events::Rule",
      Properties: {
        ScheduleExpression: `rate(${minutes} minutes)`,
        State: "ENABLED",
        Targets: [{ Id: "0", Arn: { "Fn::GetAtt": ["Answer", "Arn"] } }],
      },
    },
  });
  await using under = await deploy(withRule(5, "One"));
  const update = under.cloud.update({ template: { Resources: withRule(6, "Two") }, assetDirectory: tmpdir() });
  await expect(update).rejects.toThrow("Rule (AWS::Events::Rule): an update that changes it is not supported");
  const { executionArn = "" } = await under.run("Machine");
  expect(JSON.stringify(under.cloud.executions.history(executionArn))).toContain("ReleaseOne");
});
