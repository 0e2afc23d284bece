import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test } from "vitest";
import { LambdaDriverFunctions } from "../../cli/driver-functions.ts";
import { explainError } from "../../cli/errors.ts";
import { volume, VOLUME_ID } from "../support/cli-context.ts";

const lambda = mockClient(LambdaClient);
const functions = new LambdaDriverFunctions(new LambdaClient({ region: "eu-west-1" }), {
  createSnapshot: () => "create",
  deleteSnapshot: () => "delete-snapshot",
  deleteVolume: () => "delete-volume",
  extendVolume: () => "extend-volume",
  callDriver: () => "call-driver",
  auditBackends: () => "audit",
});
const SNAPSHOT_ID = "33333333-3333-4333-8333-333333333333";

/** Lets the function answer with a payload. */
function answer(payload: string, functionError?: string): void {
  const Payload = Buffer.from(payload) as never;
  lambda
    .on(InvokeCommand)
    .resolves({ StatusCode: 200, Payload, ...(functionError === undefined ? {} : { FunctionError: functionError }) });
}

/** The calls of each function. */
function asked(): [string | undefined, unknown][] {
  return lambda
    .commandCalls(InvokeCommand)
    .map(({ args: [{ input }] }) => [
      input.FunctionName,
      JSON.parse(Buffer.from(input.Payload as Uint8Array).toString()),
    ]);
}

beforeEach(() => {
  lambda.reset();
});

describe("the functions that have the drivers", () => {
  test("asks how a host reaches a volume, and refuses an answer that is not a connection", async () => {
    const connection = { driver_volume_type: "nfs", data: { export: "server:/a" } };
    answer(JSON.stringify(connection));
    const record = { ...volume(), host: "node@file#pool" };
    expect(await functions.initializeConnection(record)).toEqual(connection);
    expect(asked()).toMatchObject([
      [
        "call-driver",
        { call: "initializeConnection", host: "node@file#pool", volume: { id: VOLUME_ID }, connector: {} },
      ],
    ]);
    answer("null");
    await expect(functions.initializeConnection(record)).rejects.toThrow("did not answer with a connection");
  });

  test("extends a volume and returns its record, and refuses an answer that is not a volume", async () => {
    const request = { volume_id: VOLUME_ID, extension_id: SNAPSHOT_ID, new_size: 3 };
    answer(JSON.stringify({ id: VOLUME_ID, status: "available", size: 3, attempts: {} }));
    expect(await functions.extendVolume(request)).toMatchObject({ size: 3 });
    expect(asked()).toEqual([["extend-volume", request]]);
    answer("null");
    await expect(functions.extendVolume(request)).rejects.toThrow("did not answer with a volume");
  });

  test("a volume is deleted by its id", async () => {
    answer('{"outcome":"deleted"}');
    expect(await functions.deleteVolume(VOLUME_ID)).toBe("deleted");
    expect(asked()).toEqual([["delete-volume", { volume_id: VOLUME_ID }]]);
  });

  test("a volume that is being created is deleted by the end of that", async () => {
    answer('{"outcome":"requested"}');
    expect(await functions.deleteVolume(VOLUME_ID)).toBe("requested");
  });

  test("a snapshot is deleted by its id; a function that answers nothing has done it", async () => {
    answer("");
    await functions.deleteSnapshot(SNAPSHOT_ID);
    expect(asked()).toEqual([["delete-snapshot", { snapshot_id: SNAPSHOT_ID }]]);
  });

  test("a snapshot is taken as asked, and its record handed back", async () => {
    const record = { id: SNAPSHOT_ID, volume_id: VOLUME_ID, status: "available" };
    answer(JSON.stringify(record));
    const request = { volume_id: VOLUME_ID, snapshot_id: SNAPSHOT_ID, name: null, project_id: "p", user_id: "u" };
    await expect(functions.createSnapshot(request)).resolves.toEqual(record);
    expect(asked()).toEqual([["create", request]]);
  });

  test("an audit is asked for as it stands, and its report handed back", async () => {
    const report = { findings: [], totals: {}, hosts: {} };
    answer(JSON.stringify(report));
    await expect(functions.auditBackends({ reap: true })).resolves.toEqual(report);
    expect(asked()).toEqual([["audit", { reap: true }]]);
  });

  test.each([
    [
      '{"errorType":"InvalidVolume","errorMessage":"Invalid volume: in use","trace":["at x"]}',
      "InvalidVolume",
      "Invalid volume: in use",
    ],
    ['{"errorMessage":"Task timed out after 30.00 seconds"}', "FunctionError", "Task timed out after 30.00 seconds"],
    ["{}", "FunctionError", "function delete-volume failed without a message"],
    ["null", "FunctionError", "function delete-volume failed without a message"],
  ])("its error %s is reported in one line", async (payload, name, message) => {
    answer(payload, "Unhandled");
    const error: unknown = await functions.deleteVolume(VOLUME_ID).catch((thrown: unknown) => thrown);
    expect(explainError(error)).toEqual({ name, message, hint: null, exitStatus: 1 });
  });

  test.each(["no json", "{}", "null"])("an answer of %s is not a snapshot", async (payload) => {
    answer(payload);
    const request = { volume_id: VOLUME_ID, snapshot_id: SNAPSHOT_ID, name: null, project_id: "p", user_id: "u" };
    await expect(functions.createSnapshot(request)).rejects.toThrow(/not valid JSON|did not answer with a snapshot/);
    await expect(functions.auditBackends({})).rejects.toThrow(/not valid JSON|did not answer with a report/);
  });
});
