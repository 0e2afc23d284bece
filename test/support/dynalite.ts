import type { AddressInfo } from "node:net";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import { TABLES } from "../../simulation/dynamodb/tables.ts";

/** The product's tables in a DynamoDB of the test's own. */
export type TestTables = {
  client: DynamoDBClient;
  /** How many calls the client has made, by name of the command. */
  calls: Map<string, number>;
  close(): Promise<void>;
};

/** Starts DynamoDB on a free port and makes the tables, named by their kinds. */
export async function startTables(): Promise<TestTables> {
  const server = dynalite({ createTableMs: 0, updateTableMs: 0, deleteTableMs: 0 });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  for (const table of TABLES) {
    await client.send(new CreateTableCommand(table));
  }
  return {
    client,
    calls: countCalls(client),
    close: async () => {
      client.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function countCalls(client: DynamoDBClient): Map<string, number> {
  const calls = new Map<string, number>();
  client.middlewareStack.add(
    (next, { commandName = "" }) =>
      (args) => {
        calls.set(commandName, (calls.get(commandName) ?? 0) + 1);
        return next(args);
      },
    { step: "initialize", name: "countCalls" },
  );
  return calls;
}
