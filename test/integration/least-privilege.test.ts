import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { putImage } from "../../adapters/s3/put-image.ts";
import { type Call, startTally, type Tally } from "../../bench/tally.ts";
import { parseAuditRequest } from "../../core/audit/report.ts";
import { FUNCTION_NAMES, type FunctionName } from "../../core/settings/functions.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { functionNameIn, inlineTemplate, type Template } from "../../infra/inline-template.ts";
import { STACK_NAME } from "../../infra/stack-name.ts";
import { type IamRequest, isAllowed, statementsOf } from "../support/iam.ts";
import { iamRequests } from "../support/iam-requests.ts";
import { type CinderlessUnderTest, startUnderTest } from "../support/local-cinderless.ts";
import { type ServiceClients, serviceClients } from "../support/service-clients.ts";

/**
 * Least privilege without an account of AWS: the functions run from their bundles, every call that one makes is noted with the
 * function that signed it, and the synthesised policies are asked whether IAM would have allowed it.
 */

const calls: { name: FunctionName; call: Call }[] = [];
let directory: string;
let context: Record<string, unknown>;
let tally: Tally;
let under: CinderlessUnderTest;
let clients: ServiceClients;

const ZONE = { sound: "sound", cached: "cached", flaky: "flaky" };

/** One backend for each thing that a create can meet: nothing, the image-volume cache, failures. */
function backends(): Record<string, unknown>[] {
  const file = (name: string, options: object = {}) => ({
    host: `node@${name}`,
    driver: "file",
    availability_zone: name,
    options: { directory: path.join(directory, name), capacity_gb: 100 },
    ...options,
  });
  const fault = (name: string, error: string) => ({
    host: `node@${name}`,
    driver: "fault",
    availability_zone: ZONE.flaky,
    options: {
      driver: "file",
      options: { directory: path.join(directory, name), capacity_gb: 100 },
      state_directory: path.join(directory, `${name}.faults`),
      faults: [{ call: "createVolume", error, times: "always" }],
    },
  });
  return [
    file(ZONE.sound),
    file(ZONE.cached, { image_volume_cache_enabled: true, image_volume_cache_max_count: 1 }),
    fault("flaky1", "VolumeBackendAPIException"),
    fault("flaky2", "VolumeBackendAPIException"),
  ];
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), "cinderless-least-privilege-"));
  context = { fileSystem: "none", backends: backends() };
  tally = await startTally((call) => {
    const name = functionNameIn(call.accessKeyId.replace(`${STACK_NAME}-`, ""));
    if (name !== undefined) {
      calls.push({ name, call });
    }
  });
  under = await startUnderTest({
    functionEnvironment: { ...tally.environment, POWERTOOLS_LOG_LEVEL: "SILENT" },
    context,
    onDeployed: ({ endpoints }) => tally.connect(endpoints),
  });
  clients = serviceClients(under.cloud);
});

afterAll(async () => {
  await under?.stop();
  await tally?.stop();
  clients?.destroy();
  rmSync(directory, { recursive: true, force: true });
});

async function putDisk(): Promise<string> {
  const id = randomUUID();
  const image = { id, name: "disk", disk_format: "raw", container_format: "bare", min_disk: 0, min_ram: 0 };
  const document = { ...image, owner: "owner", visibility: "public", properties: { a: "b" } };
  const bytes = async function* () {
    yield randomBytes(2 ** 20);
  };
  await putImage(clients.s3, under.cloud.outputs["ImagesBucketName"] ?? "", document, bytes());
  return id;
}

async function invoke(name: FunctionName, payload: unknown = {}): Promise<void> {
  const [, FunctionName] = Object.entries(under.cloud.resources).find(([id]) => functionNameIn(id) === name) ?? [];
  await clients.lambda.send(new InvokeCommand({ FunctionName, Payload: Buffer.from(JSON.stringify(payload)) }));
}

const created = async (zone: string, source: object = {}) =>
  under.settled(await under.create({ sizeGib: 1, availabilityZone: zone, ...source }));

const snapshotOf = ({ id, project_id, user_id }: VolumeRecord) =>
  clients.functions.createSnapshot({ snapshot_id: randomUUID(), volume_id: id, name: "kept", project_id, user_id });

/** A volume of every source, snapshots, and all of it deleted again. */
async function useAndDelete(): Promise<void> {
  const raw = await created(ZONE.sound);
  const clone = await created(ZONE.sound, { sourceVolumeId: raw.id });
  const { id: snapshotId } = await snapshotOf(raw);
  const ofSnapshot = await created(ZONE.sound, { snapshotId });
  const ofImage = await created(ZONE.sound, { imageId: await putDisk() });
  for (const { status } of [raw, clone, ofSnapshot, ofImage]) {
    expect(status).toBe("available");
  }
  await clients.functions.extendVolume({ volume_id: raw.id, extension_id: randomUUID(), new_size: 2 });
  await clients.functions.deleteVolume(ofSnapshot.id);
  await clients.functions.deleteSnapshot(snapshotId);
  for (const { id } of [clone, raw, ofImage]) {
    await clients.functions.deleteVolume(id);
  }
}

/** An image that is cached, cloned from the cache, put out by another, and swept. */
async function useCache(): Promise<void> {
  const imageId = await putDisk();
  for (const image of [imageId, imageId, await putDisk()]) {
    expect((await created(ZONE.cached, { imageId: image })).status).toBe("available");
  }
}

/** Failures of every kind: rescheduled until nothing is left, impossible, unreadable, given up. */
async function fail(): Promise<void> {
  const rescheduled = await created(ZONE.flaky);
  expect(rescheduled).toMatchObject({ status: "error", attempts: { 2: { outcome: expect.any(String) as string } } });
  expect((await created(ZONE.sound, { imageId: randomUUID() })).status).toBe("error");
  expect((await created("nowhere")).status).toBe("error");
  await under.send("no message");
  const waiting = await under.create({ sizeGib: 1 }, (message) => ({ ...message, request_spec: "none" }));
  await under.settled(waiting);
  await under.giveUp("no message either");
  await under.deadLetters(2);
  await clients.functions.deleteVolume(rescheduled.id);
}

/** A volume through the Block Storage API, by every kind of request. */
async function useApi(): Promise<void> {
  const url = under.cloud.outputs["BlockStorageApiUrl"] ?? "";
  const ask = async (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${url}${path}`, {
      method,
      headers: { "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const created = await ask("POST", "/volumes", { volume: { size: 1, availability_zone: ZONE.sound, name: "asked" } });
  const { volume } = (await created.json()) as { volume: { id: string } };
  await under.settled(volume.id);
  for (const path of ["/volumes/detail?name=asked", "/volumes?all_tenants=1", "/volumes", `/volumes/${volume.id}`]) {
    expect((await ask("GET", path)).status).toBe(200);
  }
  expect((await ask("DELETE", `/volumes/${volume.id}`)).status).toBe(202);
  while ((await ask("GET", `/volumes/${volume.id}`)).status !== 404) {
    await delay(50);
  }
}

/** The work of the nets when they find something to do. */
async function fallIntoTheNets(): Promise<void> {
  const name = `${randomUUID()}-a1`;
  await invoke("ErrorOutFailedExecution", { detail: { name, status: "ABORTED", error: null, cause: null } });
  const { id } = await created(ZONE.sound);
  await invoke("ErrorOutFailedExecution", { detail: { name: `${id}-a1`, status: "FAILED", error: "E", cause: "c" } });
  for (const each of ["SweepOverdueVolumes", "ReportBackends"] as const) {
    await invoke(each);
  }
  await clients.functions.auditBackends(parseAuditRequest({}));
}

describe("a deployment in use", () => {
  let template: Template;
  let noted: { name: FunctionName; request: IamRequest }[];

  beforeAll(async () => {
    await useAndDelete();
    await useCache();
    await useApi();
    await fail();
    await fallIntoTheNets();
    template = inlineTemplate(context);
    noted = calls.flatMap(({ name, call }) =>
      iamRequests(call, under.cloud.resources).map((request) => ({ name, request })),
    );
  });

  it("hears of every function but CheckBackend, as no backend works in the background, and CallDriver, which calls backends only", () => {
    const heard = new Set(noted.map(({ name }) => name));
    const unheard = FUNCTION_NAMES.filter((name) => !heard.has(name));
    expect(unheard).toEqual(["CheckBackend", "CallDriver"]);
  });

  it("clears backends for the functions outside their network by invoking CallDriver", () => {
    const callers = noted.flatMap(({ name, request }) =>
      request.action === "lambda:InvokeFunction" && functionNameIn(request.resource) === "CallDriver" ? [name] : [],
    );
    expect(callers).toContain("RescheduleVolume");
    const only = ["RescheduleVolume", "ErrorOutVolume", "ErrorOutFailedExecution", "SweepOverdueVolumes"];
    expect(callers.filter((name) => !only.includes(name))).toEqual([]);
  });

  it("makes no call that IAM would refuse", () => {
    const refused = noted.filter(({ name, request }) => !isAllowed(statementsOf(template, name), request));
    expect(refused).toEqual([]);
  });

  it("would be refused a call without the attributes that a write names", () => {
    const narrowed = noted.filter(({ name, request }) => {
      const attributes = request.context["dynamodb:Attributes"];
      const wider = { ...request.context, "dynamodb:Attributes": [...(attributes ?? []), "project_id_of_another"] };
      return attributes !== undefined && isAllowed(statementsOf(template, name), { ...request, context: wider });
    });
    expect(new Set(narrowed.map(({ request: { action } }) => action))).toEqual(new Set(["dynamodb:DeleteItem"]));
  });
});
