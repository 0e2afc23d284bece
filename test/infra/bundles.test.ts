import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Handler } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FUNCTION_NAMES, type FunctionName, fileNameOf } from "../../core/settings/functions.ts";
import { bundleFunctions } from "../../infra/bundle.ts";
import { taskInput } from "../support/builders.ts";
import { FUNCTION_ENVIRONMENT, invoke } from "../support/lambda.ts";

/** Bounds the time that a cold start takes to read and compile a function. Those that read objects have S3's client as well. */
const LARGEST_BYTES = 470_000;
const LARGEST_API_BYTES = 400_000;
const NAMES = FUNCTION_NAMES;

let directory: string;
const bundleOf = (name: FunctionName): string => path.join(directory, fileNameOf(name), "index.mjs");

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "cinderless-bundles-"));
  await bundleFunctions(directory);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe.each(NAMES)("the bundle of %s", (name) => {
  it("is at most as large as its bound", async () => {
    const bound = name === "BlockStorageApi" ? LARGEST_API_BYTES : LARGEST_BYTES;
    expect((await stat(bundleOf(name))).size).toBeLessThanOrEqual(bound);
  });

  it("does not import node:http, which would load a client of WebSockets", async () => {
    expect(await readFile(bundleOf(name), "utf8")).not.toMatch(/from ?"node:http"/);
  });

  it("has its source map next to it", async () => {
    expect((await stat(`${bundleOf(name)}.map`)).size).toBeGreaterThan(0);
  });
});

/** Runs `call` with the settings of a function whose services all answer as `answer` does, at an endpoint without TLS. */
async function withService(
  answer: (target: string) => { status: number; body: object },
  environment: Record<string, string>,
  call: () => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    const { status, body } = answer(String(request.headers["x-amz-target"]).split(".").at(-1) ?? "");
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const settings = { AWS_REGION: "us-east-1", AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
  for (const [name, value] of Object.entries({ ...FUNCTION_ENVIRONMENT, ...settings, ...environment })) {
    vi.stubEnv(name, value);
  }
  try {
    await call();
  } finally {
    vi.unstubAllEnvs();
    server.close();
    server.closeAllConnections();
  }
}

const handlerOf = async (name: FunctionName): Promise<Handler> =>
  ((await import(pathToFileURL(bundleOf(name)).href)) as { handler: Handler }).handler;

it("a bundle calls an endpoint without TLS, such as that of the embedded cloud", async () => {
  const noTable = { __type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", message: "no table" };
  await withService(
    () => ({ status: 400, body: noTable }),
    {},
    async () => {
      const handler = await handlerOf("ExtractVolumeRef");
      await expect(invoke(handler, taskInput())).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    },
  );
});

/** Lambda's runtime reports an error's `name`, which must be the one that the workflow knows. */
describe("minified, an error keeps its name", () => {
  const CONTEXT = { functionName: "f", getRemainingTimeInMillis: () => 1000 };

  const invoke = async (name: FunctionName, event: unknown): Promise<unknown> => {
    const { handler } = (await import(pathToFileURL(bundleOf(name)).href)) as {
      handler: (event: unknown, context: unknown) => Promise<unknown>;
    };
    return handler(event, CONTEXT);
  };

  it.each<[FunctionName, unknown, string]>([
    ["CreateRawVolume", {}, "InvalidInput"],
    ["ExtractVolumeSpec", { volume_id: "x" }, "InvalidInput"],
    ["DeleteVolume", { volume_id: "../x" }, "InvalidInput"],
    ["ErrorOutFailedExecution", null, "InvalidInput"],
  ])("%s", async (name, event, error) => {
    const thrown = (await invoke(name, event).catch((reason: unknown) => reason)) as Error;
    expect(thrown.name).toBe(error);
    // The proof that names are literals: the class's own name did not survive.
    expect(thrown.constructor.name).not.toBe(error);
  });

  it("in the text of the bundles too", async () => {
    const source = await readFile(bundleOf("RescheduleVolume"), "utf8");
    for (const name of ["BackendNotCleared", "FenceLost", "VolumeNotFound", "DriverNotInitialized"]) {
      expect(source).toContain(`"${name}"`);
    }
  });
});
