import { UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import type { BackendReport, ClaimLimits, ClaimRef } from "../../core/ports.ts";
import type { BackendRecord } from "../../core/records.ts";
import { startTables, type TestTables } from "./dynalite.ts";
import { backendReport, ownerOf } from "./records.ts";

/** Fixture of the backend repository's contract: the file's own table, and a new backend for each test. */

export const NOW = new Date("2026-01-01T01:00:00.000Z");
export const LATER = "2026-01-01T00:01:00.000Z";
export const NO_LIMITS: ClaimLimits = { maxProvisionedCapacityGb: null, minFreeCapacityGb: null };

export let tables: TestTables;
export let backends: DynamoDbBackendRepository;
/** The report of the test's backend, and the backend as it was read after that. */
export let report: BackendReport;
export let backend: BackendRecord;

/** Registers the hooks that make and remove all of the above. */
export function useBackends(): void {
  beforeAll(async () => {
    tables = await startTables();
    backends = new DynamoDbBackendRepository({
      client: tables.client,
      tableName: "backends",
      claimsTableName: "claims",
      clock: { now: () => NOW },
    });
  });
  afterAll(async () => {
    await tables.close();
  });
  beforeEach(async () => {
    await begin({});
  });
}

/** Makes the test's backend another one, with this report. */
export async function begin(columns: Partial<BackendReport>): Promise<void> {
  report = backendReport(columns);
  await backends.report(report);
  backend = await read();
}

/** The backend as it is now. */
export async function read(): Promise<BackendRecord> {
  const found = (await backends.list()).find(({ host }) => host === report.host);
  if (found === undefined) {
    throw new Error(`${report.host} is not listed`);
  }
  return found;
}

/** The capacity figures, and how many claims there are. */
export async function figures(): Promise<{ allocated: number; provisioned: number; free: unknown; claims: number }> {
  const { allocated_capacity_gb, provisioned_capacity_gb, free_capacity_gb } = await read();
  return {
    allocated: allocated_capacity_gb,
    provisioned: provisioned_capacity_gb,
    free: free_capacity_gb,
    claims: (await backends.openClaims(report.host)).length,
  };
}

/** Claims the backend, as it was read first, for an attempt of a volume. */
export function claim(
  volumeId: string,
  size: number,
  attempt = 1,
  limits: ClaimLimits = NO_LIMITS,
): Promise<BackendRecord | undefined> {
  return backends.claim(backend, ownerOf(volumeId, attempt), size, limits);
}

/** The claim that {@link claim} makes. */
export function ref(volumeId: string, attempt = 1, claimedAt = NOW.toISOString()): ClaimRef {
  return { key: volumeId, attempt, claimedAt };
}

/** Disables the backend, as an operator would. */
export async function disable(): Promise<void> {
  await tables.client.send(
    new UpdateItemCommand({
      TableName: "backends",
      Key: { host: { S: report.host } },
      UpdateExpression: "SET disabled = :true",
      ExpressionAttributeValues: { ":true": { BOOL: true } },
    }),
  );
}
