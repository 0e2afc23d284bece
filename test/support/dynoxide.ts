import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { describeError } from "../../core/errors.ts";
import { freePort } from "../../verify/glance/server-process.ts";

/** Dynoxide, an independent implementation of DynamoDB, without tables. */
export type Dynoxide = { client: DynamoDBClient; stop(): Promise<void> };

const START_MS = 20_000;

/**
 * Starts Dynoxide on a free port, with its data in memory. npm has its program for Linux on x64 only, as an optional dependency: elsewhere, and
 * where it does not run, the answer is a text that says why.
 *
 * @see https://github.com/nubo-db/dynoxide
 */
export async function startDynoxide(): Promise<Dynoxide | string> {
  const program = programPath();
  if (program === undefined) {
    return "@dynoxide/linux-x64 is not installed";
  }
  const port = await freePort();
  const child = spawn(program, ["serve", "--port", String(port)], { stdio: ["ignore", "ignore", "pipe"] });
  const messages = text(child.stderr);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => void messages.then((said) => resolve(`${said.trim()} (${code ?? signal})`)));
  });
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  const failure = await Promise.race([ended, answering(client)]);
  return failure === undefined ? { client, stop: () => stop(child, client) } : `Dynoxide does not run: ${failure}`;
}

function programPath(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("@dynoxide/linux-x64/dynoxide");
  } catch {
    return undefined;
  }
}

/** Undefined once the store answers; its last error if it has not after {@link START_MS}. */
async function answering(client: DynamoDBClient): Promise<string | undefined> {
  const end = performance.now() + START_MS;
  for (;;) {
    try {
      await client.send(new ListTablesCommand({}));
      return undefined;
    } catch (error) {
      if (performance.now() > end) {
        return describeError(error).message;
      }
      await delay(50);
    }
  }
}

async function stop(child: ChildProcess, client: DynamoDBClient): Promise<void> {
  client.destroy();
  child.kill();
  if (child.exitCode === null && child.signalCode === null) {
    await once(child, "exit");
  }
}
