import { afterAll, beforeAll, expect, it } from "vitest";
import { DynamoDbAuditRepository } from "../../adapters/dynamodb/audit-repository.ts";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { noCounts } from "../../core/audit/book.ts";
import type { KeptAudit } from "../../core/audit/kept-audit.ts";
import { startTables, type TestTables } from "../support/dynalite.ts";

let tables: TestTables;

beforeAll(async () => {
  tables = await startTables();
});

afterAll(() => tables.close());

function auditAt(audited_at: string): KeptAudit {
  const lists = { unaudited: [], findings: [], not_listed: 0 };
  return { audited_at, complete: true, older_than_hours: 24, reap: false, backends: 1, totals: noCounts(), ...lists };
}

it("keeps the last audit: a later one replaces it, an earlier one that arrives late does not, and no project lists it", async () => {
  const audits = new DynamoDbAuditRepository({ client: tables.client, tableName: "projects" });
  expect(await audits.last()).toBeUndefined();
  const [first, second] = [auditAt("2026-03-04T05:00:00.000Z"), auditAt("2026-03-04T06:00:00.000Z")];
  await audits.keep(first);
  await audits.keep(second);
  expect(await audits.last()).toEqual(second);
  await audits.keep(first);
  expect(await audits.last()).toEqual(second);
  const clock = { now: () => new Date() };
  const projects = new DynamoDbProjectRepository({ client: tables.client, tableName: "projects", clock });
  expect([await projects.listAll("volume"), await projects.listQuotas()]).toEqual([[], []]);
});
