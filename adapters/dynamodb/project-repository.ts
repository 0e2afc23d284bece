import { DeleteItemCommand, PutItemCommand, QueryCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { INDEXES } from "../../core/settings/environment.ts";
import type { Clock } from "../../core/ports.ts";
import {
  type CountedQuota,
  type ListedKind,
  type ListEntry,
  type ListOptions,
  type ListPosition,
  type Movement,
  type NameClaim,
  type NameScope,
  type ProjectQuota,
  type ProjectRepository,
  type Reservation,
  type ReserveResult,
  UNLIMITED,
  type Usage,
} from "../../core/projects.ts";
import { readItems } from "./batch.ts";
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
  type Item,
  type Table,
  type TableOptions,
} from "./table.ts";

/** Sort key of the item that holds a project's usage and limits. */
export const QUOTA = "quota";

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
    const items: Item[] = [];
    const query = name === undefined ? inOrder(projectId, kind) : byName(projectId, name);
    let start = name === undefined && after !== undefined ? entryKey(after) : undefined;
    do {
      const command = new QueryCommand({
        TableName: this.#table.tableName,
        ...query,
        ConsistentRead: true,
        ...(name === undefined && Number.isFinite(limit) && { Limit: limit - items.length }),
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#table.client.send(command);
      items.push(...Items);
      start = LastEvaluatedKey;
    } while (start !== undefined && items.length < (name === undefined ? limit : Infinity));
    const entries = items.map(readEntry);
    return name === undefined ? entries : pageByName(entries, kind, { limit, after });
  }

  async listAll(kind: ListedKind): Promise<ListEntry[]> {
    const entries: ListEntry[] = [];
    let start: Item | undefined;
    do {
      const command = new ScanCommand({
        TableName: this.#table.tableName,
        ConsistentRead: true,
        FilterExpression: "begins_with(#entry, :prefix)",
        ExpressionAttributeNames: { "#entry": "entry" },
        ExpressionAttributeValues: { ":prefix": { S: `${kind}#` } },
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#table.client.send(command);
      entries.push(...Items.map(readEntry));
      start = LastEvaluatedKey;
    } while (start !== undefined);
    return entries;
  }

  async quota(projectId: string): Promise<ProjectQuota> {
    return readQuota(await find(this.#table, quotaKey(projectId)));
  }

  async readTogether(
    projectIds: readonly string[],
    names: readonly Pick<NameClaim, "scope" | "name">[],
  ): Promise<{ quotas: ProjectQuota[]; claims: (NameClaim | undefined)[] }> {
    const keys = [...[...new Set(projectIds)].map(quotaKey), ...names.map(({ scope, name }) => nameKey(scope, name))];
    const found = new Map((await readItems(this.#table, keys)).map((item) => [item["project_id"]?.S, item]));
    return {
      quotas: projectIds.map((projectId) => readQuota(found.get(projectId))),
      claims: names.map(({ scope, name }) => this.#readClaim(scope, name, found.get(partitionOfName(scope, name)))),
    };
  }

  async listQuotas(): Promise<{ projectId: string; quota: CountedQuota }[]> {
    const quotas: { projectId: string; quota: CountedQuota }[] = [];
    let start: Item | undefined;
    do {
      const command = new ScanCommand({
        TableName: this.#table.tableName,
        ConsistentRead: true,
        FilterExpression: "#entry = :quota",
        ExpressionAttributeNames: { "#entry": "entry" },
        ExpressionAttributeValues: { ":quota": { S: QUOTA } },
        ...(start !== undefined && { ExclusiveStartKey: start }),
      });
      const { Items = [], LastEvaluatedKey } = await this.#table.client.send(command);
      for (const item of Items) {
        const returns = Number(item["returns"]?.N ?? 0);
        quotas.push({ projectId: item["project_id"]?.S ?? "", quota: { ...readQuota(item), returns } });
      }
      start = LastEvaluatedKey;
    } while (start !== undefined);
    return quotas;
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
    return this.#readClaim(scope, name, await find(this.#table, nameKey(scope, name)));
  }

  /** DynamoDB removes what has expired some time later. */
  #readClaim(scope: NameScope, name: string, item: Item | undefined): NameClaim | undefined {
    const { holder, claimed_at: claimedAt, expires_at: expiresAt } = item === undefined ? {} : unmarshall(item);
    const isExpired = typeof expiresAt === "number" && expiresAt <= seconds(this.#clock.now());
    return item === undefined || isExpired
      ? undefined
      : { scope, name, holder: String(holder), claimedAt: String(claimedAt) };
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

/** An empty text cannot be the key of an index. */
function isName(name: string | null): name is string {
  return name !== null && name !== "";
}

function setName(name: string | null): string {
  return isName(name)
    ? "SET #renamed_at = :now, #display_name = :display_name"
    : "SET #renamed_at = :now REMOVE #display_name";
}

function renameStatement(name: string | null) {
  return statement(setName(name), "attribute_exists(#entry)");
}

/** @param wasRenamed whether the entry, as it was read, had been renamed before */
function correctNameStatement(name: string | null, wasRenamed: boolean) {
  const unchanged = wasRenamed ? "#renamed_at = :read" : "attribute_not_exists(#renamed_at)";
  return statement(setName(name), `attribute_exists(#entry) AND ${unchanged}`);
}

const FORGET_MOVEMENT = statement("REMOVE #moving.#holder", "attribute_exists(#moving.#holder)");
const FORGET_MOVEMENT_OF = statement("REMOVE #moving.#holder", "#moving.#holder.#at = :at");

const ENSURE_QUOTA = statement(
  "SET #used = :empty, #limits = :empty, #moving = :empty, #returns = :zero",
  "attribute_not_exists(#used)",
  { ":empty": {}, ":zero": 0 },
);

type Change = { assignments: string[]; values: Record<string, number>; names: Record<string, string> };

/** Adds or subtracts each of a usage's amounts, which may be none: that of a type by a volume without one. */
function changeOf(usage: Usage, sign: 1 | -1): Change {
  const resources = Object.entries(usage);
  return {
    assignments: resources.map(
      (_each, index) => `#used.#resource${index} = if_not_exists(#used.#resource${index}, :none) + :amount${index}`,
    ),
    values: {
      ...(resources.length > 0 && { ":none": 0 }),
      ...Object.fromEntries(resources.map(([, amount], index) => [`:amount${index}`, sign * amount])),
    },
    names: Object.fromEntries(resources.map(([resource], index) => [`#resource${index}`, resource])),
  };
}

/**
 * One condition holds every limit; it is all or nothing.
 *
 * @param replaces whether what the holder gave back, when it existed before, is still to be forgotten
 */
function reserveStatement({ usage, limits }: Reservation, replaces: boolean) {
  const { assignments, values, names } = changeOf(usage, 1);
  const isFree = replaces ? "#moving.#holder.#kind = :given_back" : "attribute_not_exists(#moving.#holder)";
  const conditions: string[] = ["attribute_exists(#used)", isFree];
  const bounds: Record<string, number> = {};
  for (const [index, [resource, amount]] of Object.entries(usage).entries()) {
    const limit = limits[resource] ?? UNLIMITED;
    if (limit !== UNLIMITED && amount > 0) {
      bounds[`:most${index}`] = limit - amount;
      const isFirst = limit >= amount ? `attribute_not_exists(#used.#resource${index}) OR ` : "";
      conditions.push(`(${isFirst}#used.#resource${index} <= :most${index})`);
    }
  }
  const constants = replaces ? { ":given_back": "given_back" } : {};
  const set = [...assignments, "#moving.#holder = :movement"].join(", ");
  const prepared = statement(`SET ${set}`, conditions.join(" AND "), constants);
  return { prepared, values: { ...values, ...bounds }, names };
}

/** A resource, its sum as it was read, and as it should be; undefined for none. */
type WrongSum = readonly [string, number | undefined, number | undefined];

/** Writes these sums if none of them has changed since it was read, and nothing is under way. */
function correctStatement(sums: readonly WrongSum[]) {
  const at = (index: number): string => `#used.#resource${index}`;
  const set = sums.flatMap(([, , right], index) => (right === undefined ? [] : [`${at(index)} = :right${index}`]));
  const removed = sums.flatMap(([, , right], index) => (right === undefined ? [at(index)] : []));
  const unchanged = sums.map(([, read], index) =>
    read === undefined ? `attribute_not_exists(${at(index)})` : `${at(index)} = :read${index}`,
  );
  const condition = ["#returns = :returns", "size(#moving) = :none", ...unchanged].join(" AND ");
  const values = sums.flatMap(([, read, right], index) => [
    ...(read === undefined ? [] : [[`:read${index}`, read] as const]),
    ...(right === undefined ? [] : [[`:right${index}`, right] as const]),
  ]);
  return {
    prepared: statement(updateOf(set, removed), condition, { ":none": 0 }),
    values: Object.fromEntries(values),
    names: Object.fromEntries(sums.map(([resource], index) => [`#resource${index}`, resource])),
  };
}

/** The first resource, in the order of their names as in Cinder, that has no room; the last one when a change in between made room. */
function exceededResource({ usage, limits }: Reservation, { used }: ProjectQuota): string {
  const resources = Object.keys(usage).toSorted();
  const exceeded = resources.find((resource) => {
    const limit = limits[resource] ?? UNLIMITED;
    return limit !== UNLIMITED && (used[resource] ?? 0) + (usage[resource] ?? 0) > limit;
  });
  return exceeded ?? resources.at(-1) ?? "";
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** Each name is a partition of its own. */
function nameKey(scope: NameScope, name: string): Item {
  return toItem({ project_id: partitionOfName(scope, name), entry: "holder" });
}

function partitionOfName(scope: NameScope, name: string): string {
  return `name#${scope}#${name}`;
}

function claimStatement(expires: boolean, replaces: boolean) {
  const isFree = [
    "attribute_not_exists(#holder)",
    "#holder = :holder",
    "#expires_at <= :now",
    ...(replaces ? ["#holder = :was AND #claimed_at = :was_at"] : []),
  ];
  const columns = "#holder = :holder, #claimed_at = :claimed_at";
  return statement(`SET ${columns}${expires ? ", #expires_at = :expires_at" : ""}`, isFree.join(" OR "));
}

function sortKeyOf({ kind, createdAt, id }: ListPosition): string {
  return `${kind}#${createdAt}#${id}`;
}

function keyAttributes(position: ListPosition): { project_id: string; entry: string } {
  return { project_id: position.projectId, entry: sortKeyOf(position) };
}

function entryKey(position: ListPosition): Item {
  return toItem(keyAttributes(position));
}

function quotaKey(projectId: string): Item {
  return toItem({ project_id: projectId, entry: QUOTA });
}

function inOrder(projectId: string, kind: ListedKind) {
  return {
    KeyConditionExpression: "#project_id = :project_id AND begins_with(#entry, :prefix)",
    ExpressionAttributeNames: { "#project_id": "project_id", "#entry": "entry" },
    ExpressionAttributeValues: { ":project_id": { S: projectId }, ":prefix": { S: `${kind}#` } },
    ScanIndexForward: false,
  };
}

function byName(projectId: string, name: string) {
  return {
    IndexName: INDEXES.projectEntriesByName,
    KeyConditionExpression: "#project_id = :project_id AND #display_name = :display_name",
    ExpressionAttributeNames: { "#project_id": "project_id", "#display_name": "display_name" },
    ExpressionAttributeValues: { ":project_id": { S: projectId }, ":display_name": { S: name } },
  };
}

/** The index has entries of one name in no order. */
function pageByName(entries: readonly ListEntry[], kind: ListedKind, { limit, after }: ListOptions): ListEntry[] {
  const start = after === undefined ? undefined : sortKeyOf(after);
  return entries
    .filter((entry) => entry.kind === kind && (start === undefined || sortKeyOf(entry) < start))
    .toSorted((one, other) => (sortKeyOf(one) > sortKeyOf(other) ? -1 : 1))
    .slice(0, limit);
}

/** The entry of a list that an item holds. */
export function readEntry(item: Item): ListEntry {
  const {
    entry,
    project_id: projectId,
    display_name: name,
    renamed_at: renamedAt,
  } = unmarshall(item) as {
    entry: string;
    project_id: string;
    display_name?: string;
    renamed_at?: string;
  };
  const [kind = "", createdAt = "", id = ""] = entry.split("#");
  const position = { kind: kind as ListedKind, createdAt, id, projectId };
  return { ...position, name: name ?? null, ...(renamedAt !== undefined && { renamedAt }) };
}

/** The usage and limits that an item holds. */
export function readQuota(item: Item | undefined): ProjectQuota {
  const { used = {}, limits = {}, moving = {} } = (item === undefined ? {} : unmarshall(item)) as Partial<ProjectQuota>;
  return { used, limits, moving };
}
