import {
  BatchGetItemCommand,
  DynamoDBClient,
  ScanCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
  GetItemCommand,
  QueryCommand,
} from "@aws-sdk/client-dynamodb";
import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { marshall } from "@aws-sdk/util-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import type { SQSBatchResponse } from "aws-lambda";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { aMessage, aVolume, aVolumeInFlow, FIRST_HOST } from "../support/builders.ts";
import { uuid } from "../support/drivers.ts";
import { START } from "../support/fakes/world.ts";
import { FUNCTION_ENVIRONMENT, invoke } from "../support/lambda.ts";
import { watchMetrics } from "../support/metrics.ts";
import { backendReport } from "../support/records.ts";

for (const [name, value] of Object.entries(FUNCTION_ENVIRONMENT)) {
  vi.stubEnv(name, value);
}
// In this mode the logger writes to the console of the process, where a test can read it.
vi.stubEnv("POWERTOOLS_DEV", "true");
vi.stubEnv("POWERTOOLS_LOG_LEVEL", "INFO");
const written: string[] = [];
for (const level of ["info", "warn"] as const) {
  vi.spyOn(console, level).mockImplementation((line: string) => void written.push(line));
}
const metrics = watchMetrics();
// A logger that another file has loaded would keep its own mode.
vi.resetModules();
const { handler } = await import("../../lambdas/schedule-volume.ts");

const dynamodb = mockClient(DynamoDBClient);
const sfn = mockClient(SFNClient);
const sns = mockClient(SNSClient);
const sqs = mockClient(SQSClient);

const backend = {
  ...backendReport({ host: FIRST_HOST, reported_at: START }),
  allocated_capacity_gb: 0,
  provisioned_capacity_gb: 0,
  claims: {},
  disabled: false,
};

/** The stored volumes; every write of a volume answers with the record as an attempt owns it. */
function storedVolumes(...volumes: VolumeRecord[]): void {
  dynamodb.on(BatchGetItemCommand).resolves({ Responses: { volumes: volumes.map(volumeItem) } });
  dynamodb.on(UpdateItemCommand).callsFake((input: UpdateItemCommandInput) => {
    const id = input.Key?.["id"]?.S ?? "";
    const claimed = input.ExpressionAttributeNames?.["#volume"] ?? "";
    const claims = { [claimed]: { attempt: 1, size: 1, claimed_at: START } };
    return {
      Attributes:
        input.TableName === "volumes"
          ? volumeItem(aVolumeInFlow({ id }))
          : marshall({ ...backend, claims }, { removeUndefinedValues: true }),
    };
  });
}

/** The handler keeps its view of the backends for a second: each test begins when that has passed. */
const TEST_INTERVAL_MS = 10_000;
let now = Date.parse(START);

beforeEach(() => {
  now += TEST_INTERVAL_MS;
  vi.useFakeTimers({ toFake: ["Date"], now });
  written.length = 0;
  metrics.forget();
  for (const mock of [dynamodb, sfn, sns, sqs]) {
    mock.reset();
  }
  dynamodb.on(ScanCommand).resolves({ Items: [marshall(backend, { removeUndefinedValues: true })] });
  dynamodb.on(GetItemCommand).resolves({});
  dynamodb.on(QueryCommand).resolves({ Items: [] });
  sfn.on(StartExecutionCommand).resolves({});
  sns.on(PublishCommand).resolves({});
  sqs.on(SendMessageCommand).resolves({});
});
afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  vi.resetModules();
});

const good = (number: number): string => JSON.stringify(aMessage({ volume_id: uuid(number) }));

async function deliver(...bodies: string[]): Promise<string[]> {
  const Records = bodies.map((body, index) => ({ messageId: `m${index}`, body, eventSource: "aws:sqs" }));
  const response = (await invoke(handler, { Records })) as SQSBatchResponse;
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

const started = () => sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input.name ?? "");
const deadLetters = () => sqs.commandCalls(SendMessageCommand).map(({ args }) => args[0].input);

describe("a batch", () => {
  it("is scheduled whole, on one read of the volumes and one of the backends", async () => {
    storedVolumes(aVolume({ id: uuid(11) }), aVolume({ id: uuid(12) }));
    expect(await deliver(good(11), good(12))).toEqual([]);
    expect(started().toSorted()).toEqual([`${uuid(11)}-a1`, `${uuid(12)}-a1`]);
    expect(dynamodb.commandCalls(BatchGetItemCommand)).toHaveLength(1);
    expect(dynamodb.commandCalls(ScanCommand)).toHaveLength(1);
  });

  it("loses none of its messages by a bad one, which goes to the dead letters with the reason", async () => {
    storedVolumes(aVolume({ id: uuid(11) }), aVolume({ id: uuid(12) }));
    expect(await deliver(good(11), "{ no JSON", good(12))).toEqual([]);
    expect(started()).toHaveLength(2);
    expect(deadLetters()).toMatchObject([
      {
        QueueUrl: FUNCTION_ENVIRONMENT["SCHEDULER_DEAD_LETTER_QUEUE_URL"],
        MessageBody: "{ no JSON",
        MessageAttributes: { reason: { StringValue: expect.stringContaining("not valid JSON") } },
      },
    ]);
  });

  it("puts in error the volume that an unreadable message names", async () => {
    storedVolumes(aVolume({ id: uuid(11) }), aVolume({ id: uuid(12) }));
    const bad = JSON.stringify(aMessage({ volume_id: uuid(12), snapshot_id: "x" }));
    expect(await deliver(good(11), bad)).toEqual([]);
    const errors = dynamodb
      .commandCalls(UpdateItemCommand)
      .map(({ args }) => args[0].input)
      .filter(({ ExpressionAttributeValues: values = {} }) => values[":error"]?.S === "error");
    expect(errors).toMatchObject([{ TableName: "volumes", Key: { id: { S: uuid(12) } } }]);
    expect(started()).toEqual([`${uuid(11)}-a1`]);
  });

  it("gives back the message alone that could not be taken, so that it comes again", async () => {
    storedVolumes(aVolume({ id: uuid(11) }), aVolume({ id: uuid(12) }));
    sfn
      .on(StartExecutionCommand, { name: `${uuid(12)}-a1` })
      .rejects(Object.assign(new Error("throttled"), { name: "ThrottlingException" }));
    expect(await deliver(good(11), good(12))).toEqual(["m1"]);
  });

  it("that cannot be taken at all comes again message by message", async () => {
    storedVolumes(aVolume({ id: uuid(11) }), aVolume({ id: uuid(12) }));
    sfn.on(StartExecutionCommand).rejects(new Error("down"));
    expect((await deliver(good(11), good(12))).toSorted()).toEqual(["m0", "m1"]);
  });

  it("takes an execution that was started before for a success", async () => {
    storedVolumes(aVolume({ id: uuid(11) }));
    sfn.on(StartExecutionCommand).rejects(Object.assign(new Error("exists"), { name: "ExecutionAlreadyExists" }));
    expect(await deliver(good(11))).toEqual([]);
  });

  it("with a message twice schedules its volume once", async () => {
    storedVolumes(aVolume({ id: uuid(11) }));
    expect(await deliver(good(11), good(11))).toEqual([]);
    expect(new Set(started())).toEqual(new Set([`${uuid(11)}-a1`]));
  });

  it("that no backend can take is counted, by which an alarm goes off", async () => {
    storedVolumes(aVolume({ id: uuid(11) }), aVolume({ id: uuid(12), size: 1_000_000 }));
    expect(await deliver(good(11), good(12))).toEqual([]);
    expect(metrics.written()).toEqual([{ service: "cinderless", UnscheduledCreates: 1 }]);
  });

  it("of a volume that does not exist ends in the dead letters", async () => {
    storedVolumes();
    expect(await deliver(good(11))).toEqual([]);
    expect(deadLetters()).toHaveLength(1);
    expect(started()).toEqual([]);
  });

  it("comes again whole when the volumes could not be read", async () => {
    dynamodb.on(BatchGetItemCommand).rejects(new Error("down"));
    await expect(deliver(good(11), good(12))).rejects.toThrow("down");
    expect(started()).toEqual([]);
  });

  it("passes no token on: not to the workflow, not to the log", async () => {
    storedVolumes(aVolume({ id: uuid(11) }));
    const context = { request_id: "r", project_id: "project", auth_token: "gAAAAA-secret" };
    await deliver(JSON.stringify(aMessage({ volume_id: uuid(11), context })));
    const inputs = sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input.input ?? "");
    expect(inputs).toHaveLength(1);
    expect(written.join("\n")).toContain(uuid(11));
    expect([...inputs, ...written].join("\n")).not.toContain("gAAAAA-secret");
  });

  it("passes no token on to the log when a message could not be taken, also not one that the error echoes", async () => {
    storedVolumes(aVolume({ id: uuid(11) }));
    sfn.on(StartExecutionCommand).rejects(new Error("refused X-Auth-Token: gAAAAA-secret"));
    const context = { request_id: "r", project_id: "project", auth_token: "gAAAAA-secret" };
    expect(await deliver(JSON.stringify(aMessage({ volume_id: uuid(11), context })))).toEqual(["m0"]);
    expect(written.join("\n")).toContain("message comes again");
    expect(written.join("\n")).not.toContain("gAAAAA-secret");
  });
});
