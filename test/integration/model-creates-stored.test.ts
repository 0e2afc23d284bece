import fc from "fast-check";
import { expect, it } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { commandArbitraries, Site } from "../support/create-model.ts";
import { startTables } from "../support/dynalite.ts";

/** The model of `test/unit/model-creates.test.ts` over the repositories that the product uses: few runs, because each call is one. */

it("any interleaving over the stored records", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commandArbitraries(), { maxCommands: 40, size: "max" }), async (commands) => {
      const tables = await startTables();
      try {
        const site = new Site(({ clock }) => ({
          volumes: new DynamoDbVolumeRepository({ client: tables.client, tableName: "volumes", clock }),
          backends: new DynamoDbBackendRepository({
            client: tables.client,
            tableName: "backends",
            claimsTableName: "claims",
            clock,
          }),
        }));
        await site.create(1);
        await fc.asyncModelRun(() => ({ model: {}, real: site }), commands);
        await site.rest();
        expect(await site.problems()).toEqual([]);
      } finally {
        await tables.close();
      }
    }),
    { numRuns: 20 },
  );
});
