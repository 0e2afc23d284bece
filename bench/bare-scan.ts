import { DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";

/** `node bench/bare-scan.ts TABLE`: what any program needs at least to list a table: a scan by the SDK, and an id in each line. */
const client = new DynamoDBClient({});
const ids: string[] = [];
for await (const { Items = [] } of paginateScan({ client }, { TableName: process.argv[2] ?? "" })) {
  ids.push(...Items.map(({ id }) => id?.S ?? ""));
}
process.stdout.write(`${ids.join("\n")}\n`);
client.destroy();
