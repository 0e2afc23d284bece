import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { DescribeTableCommand, GetItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { PublishCommand } from "@aws-sdk/client-sns";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { describe, expect, it } from "vitest";
import { EmbeddedCloudError } from "../../src/embedded-cloud.ts";
import { deploy, resource, temporaryDirectory } from "../support/fixtures.ts";
import type { CloudUnderTest } from "../support/fixtures.ts";
import { RESOURCES, store, table } from "../support/stored-data.ts";

/** The data that a cloud returns of the data from `store`, and of a message that is published now. */
async function storedIn({ cloud, dynamodb, sqs, sns, s3 }: CloudUnderTest): Promise<object> {
  const TableName = resource(cloud, "Volumes");
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key: { id: { S: "v1" } } }));
  const { Items } = await dynamodb.send(
    new QueryCommand({
      TableName,
      IndexName: "by-deadline",
      KeyConditionExpression: "deadline = :soon",
      ExpressionAttributeValues: { ":soon": { S: "soon" } },
    }),
  );
  const object = await s3.send(new GetObjectCommand({ Bucket: resource(cloud, "Images"), Key: "a/b" }));
  const receive = async () => {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: resource(cloud, "Jobs"), MaxNumberOfMessages: 1, WaitTimeSeconds: 20 }),
    );
    return Messages[0]?.Body;
  };
  const kept = await receive();
  await sns.send(new PublishCommand({ TopicArn: resource(cloud, "Topic"), Message: "published" }));
  return {
    item: Item,
    indexed: Items,
    object: await object.Body?.transformToString(),
    messages: [kept, await receive()],
  };
}

const STORED = {
  item: { id: { S: "v1" }, deadline: { S: "soon" }, status: { S: "creating" }, size: { N: "1" } },
  indexed: [{ id: { S: "v1" }, deadline: { S: "soon" }, status: { S: "creating" } }],
  object: "bytes",
  messages: ["kept", "published"],
};

describe("a data directory", () => {
  it("keeps items, indexes, messages, subscriptions and objects over a restart", async () => {
    using directory = temporaryDirectory();
    {
      await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
      await store(under);
    }
    await using again = await deploy(RESOURCES, { dataDirectory: directory.path });
    expect(await storedIn(again)).toEqual(STORED);
  });

  it("keeps them when the process is killed, and leaves no stale lock", async () => {
    using directory = temporaryDirectory();
    const data = path.join(directory.path, "data");
    const program = fileURLToPath(new URL("../support/storing-process.ts", import.meta.url));
    const env = { ...process.env, TMPDIR: directory.path };
    const child = spawn(process.execPath, [program, data], { env, stdio: ["ignore", "pipe", "inherit"] });
    const [output] = (await once(child.stdout, "data")) as [Buffer];
    expect(output.toString()).toContain("stored");
    const refused = deploy(RESOURCES, { dataDirectory: data });
    await expect(refused).rejects.toThrow("in use by another running instance");
    child.kill("SIGKILL");
    await once(child, "exit");
    await using again = await deploy(RESOURCES, { dataDirectory: data });
    expect(await storedIn(again)).toEqual(STORED);
  });

  it("takes one instance at a time and is undamaged by a second one", async () => {
    using directory = temporaryDirectory();
    await using first = await deploy(RESOURCES, { dataDirectory: directory.path });
    await store(first);
    await expect(deploy(RESOURCES, { dataDirectory: directory.path })).rejects.toThrow(EmbeddedCloudError);
    expect(await storedIn(first)).toEqual(STORED);
  });

  it("refuses a table whose keys changed and keeps its items", async () => {
    using directory = temporaryDirectory();
    {
      await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
      await store(under);
    }
    const changed = deploy({ ...RESOURCES, Volumes: table("other_id") }, { dataDirectory: directory.path });
    await expect(changed).rejects.toThrow(
      /Volumes \(AWS::DynamoDB::Table\): table Stack-Volumes exists .* another KeySchema/,
    );
    await using again = await deploy(RESOURCES, { dataDirectory: directory.path });
    expect(await storedIn(again)).toEqual(STORED);
  });

  it("takes over changed queue attributes", async () => {
    using directory = temporaryDirectory();
    {
      await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
      await store(under);
    }
    const Jobs = { Type: "AWS::SQS::Queue", Properties: { VisibilityTimeout: 5 } };
    await using again = await deploy({ ...RESOURCES, Jobs }, { dataDirectory: directory.path });
    expect(await storedIn(again)).toEqual(STORED);
  });

  it("is not left by an object's key", async () => {
    using directory = temporaryDirectory();
    const data = path.join(directory.path, "data");
    await using under = await deploy(RESOURCES, { dataDirectory: data });
    const { hostname, port } = new URL(under.cloud.endpoints.s3);
    // The SDK would resolve such a path itself.
    const target = `/${resource(under.cloud, "Images")}/..%2f..%2f..%2f..%2fescaped`;
    const put = request({ hostname, port, method: "PUT", path: target });
    put.end("bytes");
    const [response] = (await once(put, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(400);
    expect(readdirSync(directory.path)).toEqual(["data"]);
  });

  it("is readable by its owner only, also one that was there before", async () => {
    using directory = temporaryDirectory();
    const data = path.join(directory.path, "new", "data");
    const given = path.join(directory.path, "given");
    mkdirSync(given, { mode: 0o755 });
    for (const dataDirectory of [data, given]) {
      await using under = await deploy(RESOURCES, { dataDirectory });
      await store(under);
      const modes = [".", "dynamodb", "messaging", "objects", "executions"].map(
        (name) => statSync(path.join(dataDirectory, name)).mode & 0o777,
      );
      expect(modes).toEqual([0o700, 0o700, 0o700, 0o700, 0o700]);
    }
  });

  it("that something else made is refused, and nothing in it is changed", async () => {
    using directory = temporaryDirectory();
    writeFileSync(path.join(directory.path, "letter.txt"), "precious");
    const { mode } = statSync(directory.path);
    await expect(deploy(RESOURCES, { dataDirectory: directory.path })).rejects.toThrow(
      `data directory ${directory.path} has files in it and no data-directory.json: this program did not make it`,
    );
    expect(readdirSync(directory.path)).toEqual(["letter.txt"]);
    expect(statSync(directory.path).mode).toBe(mode);
  });

  it.each([
    ['{"format":2}', "has format 2"],
    ['{"format":0}', "has format 0"],
    ["{}", "has format unknown"],
    ["", "has format unknown"],
  ])("of another format is refused by name: %s", async (marker, reason) => {
    using directory = temporaryDirectory();
    writeFileSync(path.join(directory.path, "data-directory.json"), marker);
    const started = deploy(RESOURCES, { dataDirectory: directory.path });
    await expect(started).rejects.toThrow(
      `data directory ${directory.path} ${reason} by its data-directory.json, and this version of the program reads format 1`,
    );
    expect(readdirSync(directory.path)).toEqual(["data-directory.json"]);
  });

  it("whose first process died before it had written the marker is taken", async () => {
    using directory = temporaryDirectory();
    writeFileSync(path.join(directory.path, "lock"), "");
    writeFileSync(path.join(directory.path, "data-directory.json.new"), '{"for');
    await using under = await deploy(RESOURCES, { dataDirectory: directory.path });
    await store(under);
    expect(JSON.parse(readFileSync(path.join(directory.path, "data-directory.json"), "utf8"))).toEqual({ format: 1 });
  });

  it("that is a file is refused by name", async () => {
    using directory = temporaryDirectory();
    const file = path.join(directory.path, "file");
    writeFileSync(file, "precious");
    await expect(deploy(RESOURCES, { dataDirectory: file })).rejects.toThrow(`data directory ${file} is a file`);
    // A path at which no user can create a directory.
    await expect(deploy(RESOURCES, { dataDirectory: "/proc/nowhere" })).rejects.toThrow("cannot be made");
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  it("is not touched when the template is not supported", async () => {
    using directory = temporaryDirectory();
    const data = path.join(directory.path, "data");
    mkdirSync(data);
    await expect(deploy({ X: { Type: "AWS::EC2::Instance" } }, { dataDirectory: data })).rejects.toThrow(
      EmbeddedCloudError,
    );
    expect(readdirSync(data)).toEqual([]);
  });
});

describe("ports", () => {
  it.each(["dynamodb", "messaging", "compute"] as const)(
    "a %s port in use is named, and nothing keeps running",
    async (part) => {
      const blocker = createServer().listen(0, "127.0.0.1");
      await once(blocker, "listening");
      const { port } = blocker.address() as AddressInfo;
      using directory = temporaryDirectory();
      const started = deploy(RESOURCES, { dataDirectory: directory.path, ports: { [part]: port } });
      await expect(started).rejects.toThrow(new RegExp(`^port ${port} for .* is already in use$`));
      blocker.close();
      await using again = await deploy(RESOURCES, { dataDirectory: directory.path, ports: { [part]: port } });
      expect(Object.values(again.cloud.endpoints)).toContain(`http://127.0.0.1:${port}`);
    },
  );

  it("are given back by stop(), which may be called twice", async () => {
    const under = await deploy(RESOURCES);
    const ports = new Set(Object.values(under.cloud.endpoints).map((endpoint) => Number(new URL(endpoint).port)));
    await under.cloud.stop();
    await under.cloud.stop();
    for (const port of ports) {
      const server = createServer().listen(port, "127.0.0.1");
      await once(server, "listening");
      server.close();
    }
    expect(ports.size).toBe(3);
  });
});

it("creates tables with the keys and indexes of the template", async () => {
  await using under = await deploy(RESOURCES);
  const { Table } = await under.dynamodb.send(
    new DescribeTableCommand({ TableName: resource(under.cloud, "Volumes") }),
  );
  expect(Table).toMatchObject({
    TableArn: "arn:aws:dynamodb:us-east-1:000000000000:table/Stack-Volumes",
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    GlobalSecondaryIndexes: [
      { IndexName: "by-deadline", Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["status"] } },
    ],
  });
});
