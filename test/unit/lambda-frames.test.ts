import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { volumeItem } from "../../adapters/dynamodb/volume-item.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { aSpec, aVolumeInFlow, taskInput, VOLUME_ID } from "../support/builders.ts";
import { FUNCTION_ENVIRONMENT, invoke } from "../support/lambda.ts";

for (const [name, value] of Object.entries(FUNCTION_ENVIRONMENT)) {
  vi.stubEnv(name, value);
}
// Metrics are of interest in other tests.
const stdout = vi.spyOn(process.stdout, "write").mockReturnValue(true);
// Each function makes its clients once, of the environment that it finds.
vi.resetModules();
const { handler: extractVolumeRef } = await import("../../lambdas/extract-volume-ref.ts");
const { handler: createRawVolume } = await import("../../lambdas/create-raw-volume.ts");
const { handler: cloneVolume } = await import("../../lambdas/create-cloned-volume.ts");
const { handler: onFinish } = await import("../../lambdas/create-volume-on-finish.ts");
const { handler: reschedule } = await import("../../lambdas/reschedule-volume.ts");
const { handler: errorOut } = await import("../../lambdas/error-out-volume.ts");
const { handler: notifyStart } = await import("../../lambdas/notify-create-start.ts");
const { handler: failedExecution } = await import("../../lambdas/error-out-failed-execution.ts");
const { handler: sweep } = await import("../../lambdas/sweep-overdue-volumes.ts");
const { handler: deleteSnapshot } = await import("../../lambdas/delete-snapshot.ts");
const { handler: deleteVolume } = await import("../../lambdas/delete-volume.ts");
const { handler: blockStorageApi } = await import("../../lambdas/block-storage-api.ts");
const { logger } = await import("../../lambdas/runtime/logger.ts");
const { handler: createSnapshot } = await import("../../lambdas/create-snapshot.ts");

const dynamodb = mockClient(DynamoDBClient);
const sns = mockClient(SNSClient);
const sqs = mockClient(SQSClient);

beforeEach(() => {
  dynamodb.reset();
  sns.reset();
  sqs.reset();
});
afterAll(() => {
  stdout.mockRestore();
  vi.unstubAllEnvs();
  vi.resetModules();
});

const stored = (volume: VolumeRecord) => dynamodb.on(GetItemCommand).resolves({ Item: volumeItem(volume) });

describe("a task's function", () => {
  it("parses its input, does its task, and returns its result", async () => {
    stored(aVolumeInFlow({ display_name: "data" }));
    expect(await invoke(extractVolumeRef, taskInput())).toMatchObject({ id: VOLUME_ID, display_name: "data" });
    expect(dynamodb.commandCalls(GetItemCommand)[0]?.args[0].input).toMatchObject({
      TableName: "volumes",
      Key: { id: { S: VOLUME_ID } },
      ConsistentRead: true,
    });
  });

  it("answers null where the task has no result", async () => {
    sns.on(PublishCommand).resolves({});
    expect(await invoke(notifyStart, { ...taskInput(), volume_ref: aVolumeInFlow() })).toBeNull();
  });

  it("throws its task's errors under their own names", async () => {
    dynamodb.on(GetItemCommand).resolves({});
    await expect(invoke(extractVolumeRef, taskInput())).rejects.toMatchObject({ name: "VolumeNotFound" });
    stored(aVolumeInFlow({}, 2));
    await expect(invoke(extractVolumeRef, taskInput())).rejects.toMatchObject({ name: "FenceLost" });
  });

  it("throws the SDK's errors under theirs, so that they count as uncertain", async () => {
    dynamodb.on(GetItemCommand).rejects(Object.assign(new Error("slow down"), { name: "ThrottlingException" }));
    await expect(invoke(extractVolumeRef, taskInput())).rejects.toMatchObject({ name: "ThrottlingException" });
  });

  it("says NotificationNotSent when only the notification failed", async () => {
    const available = aVolumeInFlow({ status: "available", phase: null, deadline: null });
    dynamodb.on(UpdateItemCommand).resolves({ Attributes: volumeItem(available) });
    sns.on(PublishCommand).rejects(new Error("throttled"));
    const creation = { next: "finish", model_update: null };
    await expect(invoke(onFinish, { ...taskInput(), volume_spec: aSpec(), creation })).rejects.toMatchObject({
      name: "NotificationNotSent",
    });
    expect(dynamodb.commandCalls(UpdateItemCommand)).toHaveLength(2);
  });

  it("of a host that no backend serves says DriverNotInitialized", async () => {
    const input = { ...taskInput(1, "node@gone#pool"), volume_spec: aSpec() };
    await expect(invoke(createRawVolume, input)).rejects.toMatchObject({ name: "DriverNotInitialized" });
    expect(dynamodb.calls()).toHaveLength(0);
  });

  it("takes a failure without a Cause, which the States Language allows", async () => {
    stored(aVolumeInFlow());
    dynamodb.on(UpdateItemCommand).resolves({ Attributes: volumeItem(aVolumeInFlow({ status: "error", host: null })) });
    sns.on(PublishCommand).resolves({});
    const input = { ...taskInput(), failure: { Error: "States.Timeout" } };
    expect(await invoke(errorOut, input)).toEqual({ outcome: "error" });
  });

  it("casts to the scheduler queue that the stack names", async () => {
    stored(aVolumeInFlow({ fence: `${VOLUME_ID}-a2`, host: null, phase: "queued" }));
    // There is no claim that could be released.
    const refusal = new ConditionalCheckFailedException({ message: "no claim", $metadata: {} });
    dynamodb.on(UpdateItemCommand).rejects(refusal);
    sqs.on(SendMessageCommand).resolves({});
    const input = {
      ...taskInput(),
      image_id: null,
      snapshot_id: null,
      source_volid: null,
      request_spec: {},
      filter_properties: {},
      failure: { Error: "E", Cause: "c" },
    };
    expect(await invoke(reschedule, input)).toEqual({ outcome: "rescheduled" });
    expect(sqs.commandCalls(SendMessageCommand)[0]?.args[0].input.QueueUrl).toBe(
      FUNCTION_ENVIRONMENT["SCHEDULER_QUEUE_URL"],
    );
  });
});

describe("bad input is InvalidInput that names what is wrong, and nothing is asked of anybody", () => {
  const good = { ...taskInput(), volume_spec: aSpec() };
  it.each<[string, unknown, string]>([
    ["nothing", null, "task input"],
    ["text", "volume", "task input"],
    ["an empty object", {}, "volume_id"],
    ["a volume id that is a path", { ...good, volume_id: "../../etc/passwd" }, "volume_id must be a UUID"],
    ["no fence", { ...good, fence: "" }, "fence"],
    ["attempt zero", { ...good, attempt: 0 }, "attempt"],
    ["an attempt that is text", { ...good, attempt: "1" }, "attempt"],
    ["no host", { ...good, host: null }, "host"],
    ["a context without roles", { ...good, context: { ...good.context, roles: undefined } }, "context.roles"],
    ["a spec of no type", { ...good, volume_spec: aSpec({ type: 7 as unknown as "raw" }) }, "volume_spec.type"],
    ["a spec of no size", { ...good, volume_spec: aSpec({ volume_size: 0 }) }, "volume_spec.volume_size"],
    ["a spec of another volume", { ...good, volume_spec: aSpec({ volume_id: "x" }) }, "volume_spec.volume_id"],
  ])("%s", async (_what, event, names) => {
    const thrown = invoke(cloneVolume, event);
    await expect(thrown).rejects.toMatchObject({ name: "InvalidInput" });
    await expect(thrown).rejects.toThrow(names);
    expect(dynamodb.calls()).toHaveLength(0);
  });

  it.each<[string, Parameters<typeof invoke>[0], unknown]>([
    ["DeleteSnapshot", deleteSnapshot, { snapshot_id: "x" }],
    ["DeleteVolume", deleteVolume, { volume_id: ["a"] }],
    ["CreateSnapshot", createSnapshot, { volume_id: VOLUME_ID }],
    ["ErrorOutFailedExecution", failedExecution, { detail: { name: 7, status: "FAILED" } }],
  ])("of %s", async (_name, handler, event) => {
    await expect(invoke(handler, event)).rejects.toMatchObject({ name: "InvalidInput" });
    expect(dynamodb.calls()).toHaveLength(0);
  });
});

describe("a service function", () => {
  it("answers what its task did", async () => {
    dynamodb.on(QueryCommand).resolves({ Items: [] });
    dynamodb.on(ScanCommand).resolves({ Items: [] });
    expect(await invoke(sweep, {})).toEqual({ overdue: 0, errored_out: 0, claims_closed: 0, failures: [] });
  });

  it("fails at the end of a sweep in which a volume could not be dealt with", async () => {
    const key = { id: { S: VOLUME_ID }, deadline: { S: "2026-01-01T00:00:00.000Z" } };
    dynamodb.on(QueryCommand).resolves({ Items: [] });
    dynamodb.on(QueryCommand, { TableName: "volumes" }).resolves({ Items: [key] });
    dynamodb.on(ScanCommand).resolves({ Items: [] });
    dynamodb.on(GetItemCommand).rejects(new Error("its item cannot be read"));
    await expect(invoke(sweep, {})).rejects.toThrow(
      `1 failed in this sweep, first volume ${VOLUME_ID}: Error: its item`,
    );
    expect(dynamodb.commandCalls(ScanCommand)).toHaveLength(1);
  });

  it("leaves an execution alone that does not belong to a volume", async () => {
    const detail = { name: "by-hand", status: "FAILED" };
    expect(await invoke(failedExecution, { detail })).toEqual({ outcome: "left alone" });
    expect(dynamodb.calls()).toHaveLength(0);
  });

  it("leaves a volume alone whose write is refused", async () => {
    stored(aVolumeInFlow());
    const refused = new ConditionalCheckFailedException({ $metadata: {}, message: "no" });
    dynamodb.on(UpdateItemCommand).rejects(refused);
    const detail = { name: `${VOLUME_ID}-a1`, status: "ABORTED" };
    expect(await invoke(failedExecution, { detail })).toEqual({ outcome: "left alone" });
  });

  it.each([
    ["is missing", null, /backends\.json in the function's code cannot be read: ENOENT/],
    ["is not valid JSON", "[{", /backends\.json in the function's code cannot be read: Expected/],
    ["is not a list", "{}", /backends: it must be a list/],
  ])("says which file next to its code %s", async (_what, content, message) => {
    const directory = mkdtempSync(path.join(tmpdir(), "cinderless-code-"));
    onTestFinished(() => {
      rmSync(directory, { recursive: true });
      vi.stubEnv("LAMBDA_TASK_ROOT", FUNCTION_ENVIRONMENT["LAMBDA_TASK_ROOT"]);
    });
    if (content !== null) {
      writeFileSync(path.join(directory, "backends.json"), content);
    }
    vi.resetModules();
    vi.stubEnv("LAMBDA_TASK_ROOT", directory);
    const { handler } = await import("../../lambdas/delete-snapshot.ts");
    await expect(invoke(handler, { snapshot_id: VOLUME_ID })).rejects.toThrow(message);
  });
});

describe("the function of the Block Storage API", () => {
  it("logs why it answers 500, and masks a token that the error echoes, also in its stack", async () => {
    const functions = { DeleteVolume: "a", ExtendVolume: "b", CreateSnapshot: "c", DeleteSnapshot: "d" };
    vi.stubEnv(
      "BLOCK_STORAGE_API",
      JSON.stringify({ options: { auth: "noauth" }, zones: ["nova"], service_down_seconds: 60, functions }),
    );
    dynamodb.on(QueryCommand).rejects(new Error("no answer to X-Auth-Token: gAAAAABnotforthelog"));
    const log = vi.spyOn(logger, "error").mockReturnValue();
    const event = {
      requestContext: { http: { method: "GET" } },
      rawPath: "/v3/admin/volumes",
      rawQueryString: "",
      headers: {},
    };
    expect(await invoke(blockStorageApi as never, event)).toMatchObject({ statusCode: 500 });
    expect(log).toHaveBeenCalledWith("request failed", expect.objectContaining({ error: "Error" }));
    const logged = JSON.stringify(log.mock.calls);
    expect(logged).toContain("no answer to X-Auth-Token: ***");
    expect(logged).not.toContain("notforthelog");
    log.mockRestore();
  });
});
