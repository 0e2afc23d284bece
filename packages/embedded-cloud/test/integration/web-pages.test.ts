import { once } from "node:events";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { request, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CloudUnderTest, deploy, inlineFunction, resource, temporaryDirectory } from "../support/fixtures.ts";
import { RESOURCES } from "../support/stored-data.ts";

/** Requests that a web page in a browser on this machine can send to the servers of a running cloud, and that must be refused. */

const directory = temporaryDirectory();
const data = path.join(directory.path, "data");
let under: CloudUnderTest;

beforeAll(async () => {
  const Echo = inlineFunction("return event;");
  under = await deploy({ ...RESOURCES, Echo }, { dataDirectory: data });
});

afterAll(async () => {
  await under.cloud.stop();
  directory[Symbol.dispose]();
});

type Sent = { status: number; headers: IncomingMessage["headers"]; body: string };

async function send(
  endpoint: string,
  target: string,
  headers: OutgoingHttpHeaders,
  body = "",
  method = "POST",
): Promise<Sent> {
  const { hostname, port } = new URL(endpoint);
  const outgoing = request({ hostname, port, method, path: target, headers, agent: false });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

const PAGE = { origin: "http://evil.example", "sec-fetch-site": "cross-site" };
const SIGNED = {
  authorization: "AWS4-HMAC-SHA256 Credential=a/20000101/us-east-1/s/aws4_request, SignedHeaders=host, Signature=0",
  "x-amz-date": "20000101T000000Z",
};

describe("a web page", () => {
  it("reads no item, deletes nothing, and forges no message", async () => {
    const { cloud } = under;
    const { dynamodb, lambda, sns, sqs, s3 } = cloud.endpoints;
    const scan = { "content-type": "application/json", "x-amz-target": "DynamoDB_20120810.Scan" };
    const publish = new URLSearchParams({ Action: "Publish", TopicArn: resource(cloud, "Topic"), Message: "forged" });
    const requests = [
      send(dynamodb, "/", { ...SIGNED, ...scan, ...PAGE }, JSON.stringify({ TableName: resource(cloud, "Volumes") })),
      send(
        lambda,
        `/2015-03-31/functions/${resource(cloud, "Echo")}/invocations`,
        { "content-type": "text/plain", ...PAGE },
        "{}",
      ),
      send(sns, "/", { "content-type": "application/x-www-form-urlencoded", ...PAGE }, publish.toString()),
      send(sqs, "/_fauxqs/queues", PAGE, "", "GET"),
      send(s3, `/${resource(cloud, "Images")}`, { "content-type": "text/plain", ...PAGE }, "<Key>a/b</Key>"),
    ];
    for (const { status, headers } of await Promise.all(requests)) {
      expect(status).toBe(403);
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
    expect(cloud.counters.lambdaInvocations[resource(cloud, "Echo")] ?? 0).toBe(0);
    const messages = await under.sqs.send(new ReceiveMessageCommand({ QueueUrl: resource(cloud, "Jobs") }));
    expect(messages.Messages ?? []).toEqual([]);
  });

  it("whose name an attacker's DNS leads to this machine is not served by any server", async () => {
    const { dynamodb, sqs, sfn } = under.cloud.endpoints;
    for (const endpoint of [dynamodb, sqs, sfn]) {
      expect(await send(endpoint, "/", { host: "evil.example" }, "", "GET")).toMatchObject({ status: 403 });
    }
  });

  it("gets no permission by OPTIONS", async () => {
    const { dynamodb, sqs, sfn } = under.cloud.endpoints;
    for (const endpoint of [dynamodb, sqs, sfn]) {
      expect(await send(endpoint, "/", {}, "", "OPTIONS")).toMatchObject({ status: 403 });
    }
  });
});

describe("the keys of objects", () => {
  const bucket = () => resource(under.cloud, "Images");

  it("do not leave the data directory by a form", async () => {
    const part = (name: string, value: string) =>
      `--B\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const body = `${part("key", "../../../../../written")}${part("file", "bytes")}--B--\r\n`;
    const sent = await send(
      under.cloud.endpoints.s3,
      `/${bucket()}`,
      { "content-type": "multipart/form-data; boundary=B" },
      body,
    );
    expect(sent).toMatchObject({ status: 405, body: expect.stringContaining("MethodNotAllowed") as string });
    expect(readdirSync(directory.path)).toEqual(["data"]);
  });

  it("do not leave it by the body of DeleteObjects", async () => {
    const precious = path.join(directory.path, "precious.data");
    writeFileSync(precious, "precious");
    for (let depth = 1; depth <= 8; depth += 1) {
      const body = `<Delete><Object><Key>${"../".repeat(depth)}precious</Key></Object></Delete>`;
      const sent = await send(
        under.cloud.endpoints.s3,
        `/${bucket()}?delete`,
        { "content-type": "application/xml" },
        body,
      );
      expect(sent).toMatchObject({ status: 400, body: expect.stringContaining("InvalidArgument") as string });
    }
    expect(existsSync(precious)).toBe(true);
    rmSync(precious);
  });

  it("do not leave it by the start of a multipart upload, or by a copy or a rename", async () => {
    const { s3 } = under.cloud.endpoints;
    const start = await send(s3, `/${bucket()}/a%2f..%2f..%2fb?uploads`, {});
    expect(start.status).toBe(400);
    await send(s3, `/${bucket()}/kept`, {}, "bytes", "PUT");
    const renamed = await send(
      s3,
      `/${bucket()}/..%2f..%2fb?renameObject`,
      { "x-amz-rename-source": "kept" },
      "",
      "PUT",
    );
    expect(renamed.status).toBe(400);
    const copied = await send(s3, `/${bucket()}/..%2f..%2fb`, { "x-amz-copy-source": `${bucket()}/kept` }, "", "PUT");
    expect(copied.status).toBe(400);
    const { Contents = [] } = await under.s3.send(new ListObjectsV2Command({ Bucket: bucket() }));
    expect(Contents.map(({ Key }) => Key)).toEqual(["kept"]);
  });
});

it("programs of this machine are served as before", async () => {
  const { Count } = await under.dynamodb.send(new ScanCommand({ TableName: resource(under.cloud, "Volumes") }));
  expect(Count).toBe(0);
});
