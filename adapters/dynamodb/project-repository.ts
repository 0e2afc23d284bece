import { DeleteItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../core/ports.ts";
import type {
  CountedQuota,
  ListedKind,
  ListEntry,
  ListOptions,
  ListPosition,
  Movement,
  NameClaim,
  NameScope,
  ProjectQuota,
  ProjectRepository,
  Reservation,
  ReserveResult,
  Usage,
} from "../../core/projects.ts";
import { readItems } from "./batch.ts";
import { queryAll, type ScanFilter, scanAll } from "./paging.ts";
import {
  byName,
  correctNameStatement,
  entryKey,
  inOrder,
  isName,
  keyAttributes,
  pageByName,
  readEntry,
  renameStatement,
} from "./project-lists.ts";
import { claimStatement, nameKey, partitionOfName, readClaim, seconds } from "./project-names.ts";
import {
  changeOf,
  correctStatement,
  ENSURE_QUOTA,
  exceededResource,
  FORGET_MOVEMENT,
  FORGET_MOVEMENT_OF,
  QUOTA,
  quotaKey,
  readQuota,
  reserveStatement,
  type WrongSum,
} from "./project-quotas.ts";
import {
  find,
  isConditionFailure,
  isMissingPath,
  NAMES_AT_ONCE,
  slicesOf,
  statement,
  toItem,
  tryUpdate,
  updateOf,
  type Table,
  type TableOptions,
} from "./table.ts";

/** Most bytes of a sort key. DynamoDB refuses to search for a longer one; no name is as long. */
const LONGEST_KEY = 1024;

/**
 * The projects' lists and usage, in one table: partition key `project_id`, sort key `entry`, which is `quota` or `KIND#CREATED_AT#ID`. A
 * local index has the entries by name. Both are read consistently: a volume is in the list when the answer to its create arrives.
 *
 * The quota's item holds sums. A change of them is a `moving` entry until the record of the volume or snapshot is written or removed, which
 * is milliseconds; after that the record itself is the proof. So the item does not grow with the project's objects.
 */
export class DynamoDbProjectRepository implements ProjectRepository {
  readonly #table: Table;
  readonly #clock: Clock;

  constructor({ client, tableName, clock }: TableOptions) {
    this.#table = { client, tableName, key: "project_id" };
    this.#clock = clock;
  }

  async enter({ name, ...position }: ListEntry): Promise<void> {
    const Item = toItem({ ...keyAttributes(position), display_name: name === "" ? null : name });
    await this.#table.client.send(new PutItemCommand({ TableName: this.#table.tableName, Item }));
  }

  async removeEntry(position: ListPosition): Promise<void> {
    const { tableName: TableName, client } = this.#table;
    await client.send(new DeleteItemCommand({ TableName, Key: entryKey(position) }));
  }

  async leave(position: ListPosition): Promise<void> {
    await this.removeEntry(position);
    await this.confirm(position.projectId, `${position.kind}:${position.id}`);
  }

  async rename(position: ListPosition, name: string | null): Promise<void> {
    await tryUpdate(this.#table, entryKey(position), renameStatement(name), { values: this.#nameValues(name) });
  }

  async correctName({ renamedAt, ...entry }: ListEntry, name: string | null): Promise<void> {
    const prepared = correctNameStatement(name, renamedAt !== undefined);
    const values = { ...this.#nameValues(name), ...(renamedAt !== undefined && { ":read": renamedAt }) };
    await tryUpdate(this.#table, entryKey(entry), prepared, { values });
  }

  #nameValues(name: string | null): Record<string, string> {
    const now = this.#clock.now().toISOString();
    return { ":now": now, ...(isName(name) && { ":display_name": name }) };
  }

  async list(projectId: string, kind: ListedKind, { limit, after, name }: ListOptions): Promise<ListEntry[]> {
    if (name !== undefined && Buffer.byteLength(name) > LONGEST_KEY) {
      return [];
    }
    if (name !== undefined) {
      const entries = (await queryAll(this.#table, byName(projectId, name))).map(readEntry);
      return pageByName(entries, kind, { limit, after });
    }
    const start = after === undefined ? undefined : entryKey(after);
    return (await queryAll(this.#table, inOrder(projectId, kind), limit, start)).map(readEntry);
  }

  async listAll(kind: ListedKind): Promise<ListEntry[]> {
    return (await scanAll(this.#table, entryFilter("begins_with(#entry, :entry)", `${kind}#`))).map(readEntry);
  }

  async quota(projectId: string): Promise<ProjectQuota> {
    return readQuota(await find(this.#table, quotaKey(projectId)));
  }

  async readTogether(
    projectIds: readonly string[],
    names: readonly Pick<NameClaim, "scope" | "name">[],
  ): Promise<{ quotas: ProjectQuota[]; claims: (NameClaim | undefined)[] }> {
    const now = this.#clock.now();
    const keys = [...[...new Set(projectIds)].map(quotaKey), ...names.map(({ scope, name }) => nameKey(scope, name))];
    const found = new Map((await readItems(this.#table, keys)).map((item) => [item["project_id"]?.S, item]));
    return {
      quotas: projectIds.map((projectId) => readQuota(found.get(projectId))),
      claims: names.map(({ scope, name }) => readClaim(scope, name, found.get(partitionOfName(scope, name)), now)),
    };
  }

  async listQuotas(): Promise<{ projectId: string; quota: CountedQuota }[]> {
    return (await scanAll(this.#table, entryFilter("#entry = :entry", QUOTA))).map((item) => ({
      projectId: item["project_id"]?.S ?? "",
      quota: { ...readQuota(item), returns: Number(item["returns"]?.N ?? 0) },
    }));
  }

  async correctUsage(projectId: string, { used: read, returns }: CountedQuota, used: Usage): Promise<boolean> {
    const wrong = [...new Set([...Object.keys(read), ...Object.keys(used)])]
      .map((resource): WrongSum => [resource, read[resource], used[resource]])
      .filter(([, sum, right]) => sum !== right);
    let isCorrected = true;
    for (const sums of slicesOf(wrong, NAMES_AT_ONCE)) {
      const { prepared, values, names } = correctStatement(sums);
      const parameters = { values: { ...values, ":returns": returns }, names };
      const item = await tryUpdate(this.#table, quotaKey(projectId), prepared, parameters);
      isCorrected &&= item !== undefined;
    }
    return isCorrected;
  }

  async reserve(reservation: Reservation): Promise<ReserveResult> {
    const { projectId, holder, usage } = reservation;
    const movement: Movement = { kind: "taken", usage, at: this.#clock.now().toISOString() };
    const take = (replaces: boolean): Promise<boolean> => {
      const { prepared, values, names } = reserveStatement(reservation, replaces);
      const all = { ...values, ":movement": movement };
      return this.#updateQuota(projectId, () => prepared, all, { ...names, "#holder": holder });
    };
    if (await take(false)) {
      return { reservedAt: movement.at };
    }
    const quota = await this.quota(projectId);
    const earlier = quota.moving[holder];
    if (earlier?.kind === "given_back" && (await take(true))) {
      return { reservedAt: movement.at };
    }
    return earlier?.kind === "taken"
      ? { reservedAt: earlier.at }
      : { exceeded: exceededResource(reservation, quota), quota };
  }

  async confirm(projectId: string, holder: string, reservedAt?: string): Promise<void> {
    const prepared = reservedAt === undefined ? FORGET_MOVEMENT : FORGET_MOVEMENT_OF;
    const values = reservedAt === undefined ? {} : { ":at": reservedAt };
    try {
      await tryUpdate(this.#table, quotaKey(projectId), prepared, { values, names: { "#holder": holder } });
    } catch (error) {
      // dynalite looks for the path of what is removed before it looks at the condition.
      if (!isMissingPath(error)) {
        throw error;
      }
    }
  }

  async cancel(projectId: string, holder: string, reservedAt?: string): Promise<void> {
    const movement = (await this.quota(projectId)).moving[holder];
    if (movement?.kind === "taken" && (reservedAt ?? movement.at) === movement.at) {
      const { assignments, values, names } = changeOf(movement.usage, -1);
      const set = assignments.length === 0 ? "" : `SET ${assignments.join(", ")} `;
      const prepared = statement(`${set}REMOVE #moving.#holder`, "#moving.#holder.#at = :at");
      await tryUpdate(this.#table, quotaKey(projectId), prepared, {
        values: { ...values, ":at": movement.at },
        names: { ...names, "#holder": holder },
      });
    }
  }

  async giveBack(projectId: string, holder: string, usage: Usage, isStillThere: () => Promise<boolean>): Promise<void> {
    for (;;) {
      const item = await find(this.#table, quotaKey(projectId));
      if (readQuota(item).moving[holder]?.kind === "given_back" || !(await isStillThere())) {
        return;
      }
      const returns = Number(item?.["returns"]?.N ?? 0);
      const movement: Movement = { kind: "given_back", usage, at: this.#clock.now().toISOString() };
      const { assignments, values, names } = changeOf(usage, -1);
      const all = { ...values, ":movement": movement, ":returns": returns, ":next_returns": returns + 1 };
      const prepared = statement(
        `SET ${[...assignments, "#moving.#holder = :movement", "#returns = :next_returns"].join(", ")}`,
        "#returns = :returns",
      );
      if (await this.#updateQuota(projectId, () => prepared, all, { ...names, "#holder": holder })) {
        return;
      }
    }
  }

  async claimName(
    scope: NameScope,
    name: string,
    holder: string,
    { replaces, expiresAt }: { replaces?: NameClaim; expiresAt?: Date } = {},
  ): Promise<NameClaim> {
    const now = this.#clock.now();
    const claim: NameClaim = { scope, name, holder, claimedAt: now.toISOString() };
    const values = {
      ":holder": holder,
      ":claimed_at": claim.claimedAt,
      ":now": seconds(now),
      ...(expiresAt !== undefined && { ":expires_at": seconds(expiresAt) }),
      ...(replaces !== undefined && { ":was": replaces.holder, ":was_at": replaces.claimedAt }),
    };
    const prepared = claimStatement(expiresAt !== undefined, replaces !== undefined);
    if ((await tryUpdate(this.#table, nameKey(scope, name), prepared, { values })) !== undefined) {
      return claim;
    }
    return (await this.findName(scope, name)) ?? this.claimName(scope, name, holder, expiresAt && { expiresAt });
  }

  async findName(scope: NameScope, name: string): Promise<NameClaim | undefined> {
    return readClaim(scope, name, await find(this.#table, nameKey(scope, name)), this.#clock.now());
  }

  async releaseName(scope: NameScope, name: string, holder: string): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: this.#table.tableName,
      Key: nameKey(scope, name),
      ConditionExpression: "attribute_not_exists(#holder) OR #holder = :holder",
      ExpressionAttributeNames: { "#holder": "holder" },
      ExpressionAttributeValues: { ":holder": { S: holder } },
    });
    await this.#table.client.send(command).catch((error: unknown) => {
      if (!isConditionFailure(error)) {
        throw error;
      }
    });
  }

  async setLimits(projectId: string, limits: Readonly<Record<string, number | null>>): Promise<ProjectQuota> {
    for (const entries of slicesOf(Object.entries(limits), NAMES_AT_ONCE)) {
      await this.#setLimits(projectId, entries);
    }
    return this.quota(projectId);
  }

  async #setLimits(projectId: string, entries: readonly [string, number | null][]): Promise<void> {
    const names = Object.fromEntries(entries.map(([resource], index) => [`#resource${index}`, resource]));
    const set = entries.flatMap(([, limit], index) =>
      limit === null ? [] : [`#limits.#resource${index} = :limit${index}`],
    );
    const removed = entries.flatMap(([, limit], index) => (limit === null ? [`#limits.#resource${index}`] : []));
    const update = updateOf(set, removed);
    const values = Object.fromEntries(
      entries.flatMap(([, limit], index) => (limit === null ? [] : [[`:limit${index}`, limit]])),
    );
    await this.#updateQuota(projectId, () => statement(update, "attribute_exists(#limits)"), values, names);
  }

  /** Runs an update of the quota's item; makes the item first where the project has none. False when the condition failed. */
  async #updateQuota(
    projectId: string,
    prepared: () => ReturnType<typeof statement>,
    values: Record<string, unknown>,
    names: Record<string, string>,
  ): Promise<boolean> {
    const write = async (): Promise<boolean> =>
      (await tryUpdate(this.#table, quotaKey(projectId), prepared(), { values, names })) !== undefined;
    try {
      if (await write()) {
        return true;
      }
    } catch (error) {
      if (!isMissingPath(error)) {
        throw error;
      }
    }
    // Another request may create the item in between, so the second write decides.
    await tryUpdate(this.#table, quotaKey(projectId), ENSURE_QUOTA, { values: {} });
    return write();
  }
}

/** Items of all projects by their sort key. */
function entryFilter(FilterExpression: string, entry: string): ScanFilter {
  return {
    FilterExpression,
    ExpressionAttributeNames: { "#entry": "entry" },
    ExpressionAttributeValues: { ":entry": { S: entry } },
  };
}
