import type { AuditRepository, KeptAudit } from "../../core/audit/kept-audit.ts";
import { find, statement, type Table, type TableOptions, toItem, tryUpdate } from "./table.ts";

/** The item's key in the table of projects; the lists of projects have other sort keys. */
const KEY = toItem({ project_id: "audit", entry: "last_audit" });

const KEEP = statement(
  "SET #audited_at = :audited_at, #report = :report",
  "attribute_not_exists(#audited_at) OR #audited_at <= :audited_at",
);

/** The last audit: one item of the table of projects, with the report as JSON text. */
export class DynamoDbAuditRepository implements AuditRepository {
  readonly #table: Table;

  constructor({ client, tableName }: Omit<TableOptions, "clock">) {
    this.#table = { client, tableName, key: "project_id" };
  }

  async keep(audit: KeptAudit): Promise<void> {
    const values = { ":audited_at": audit.audited_at, ":report": JSON.stringify(audit) };
    await tryUpdate(this.#table, KEY, KEEP, { values });
  }

  async last(): Promise<KeptAudit | undefined> {
    const report = (await find(this.#table, KEY))?.["report"]?.S;
    return report === undefined ? undefined : (JSON.parse(report) as KeptAudit);
  }
}
