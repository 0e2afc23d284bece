import { DeleteItemCommand, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { environmentVariable } from "../../../lambdas/runtime/environment.ts";
import type { Row } from "../cases.ts";
import type { Plan } from "./plan.ts";

/** Changes of a case's rows by others while its flow runs. */

/** Deletes a row; nothing happens when it is gone. */
export async function deleteRow(plan: Plan, row: Row): Promise<void> {
  const id = { volume: plan.volumeId, source: plan.sourceId, origin: plan.sourceId, snapshot: plan.snapshotId }[row];
  const TableName = environmentVariable(row === "snapshot" ? "snapshotsTable" : "volumesTable");
  await withClient((client) => client.send(new DeleteItemCommand({ TableName, Key: { id: { S: id } } })));
}

/** Sets the source volume's status to backing-up. */
export async function backUpSource(plan: Plan): Promise<void> {
  await withClient((client) =>
    client.send(
      new UpdateItemCommand({
        TableName: environmentVariable("volumesTable"),
        Key: { id: { S: plan.sourceId } },
        UpdateExpression: "SET #status = :status",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: { ":status": { S: "backing-up" } },
      }),
    ),
  );
}

async function withClient(use: (client: DynamoDBClient) => Promise<unknown>): Promise<void> {
  const client = new DynamoDBClient({});
  try {
    await use(client);
  } finally {
    client.destroy();
  }
}
