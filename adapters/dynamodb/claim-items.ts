import { unmarshall } from "@aws-sdk/util-dynamodb";
import { INDEXES } from "../../core/settings/environment.ts";
import type { ClaimRef } from "../../core/ports.ts";
import { type CapacityClaim, RETURNED_CAPACITY } from "../../core/records.ts";
import { readItems } from "./batch.ts";
import { queryAll } from "./paging.ts";
import { find, statement, toItem, tryUpdate, type DynamoDb, type Item, type Statement, type Table } from "./table.ts";

/**
 * An item of the table of claims: one claim on one backend.
 *
 * - `open`: its owner or the sweep closes it.
 * - `settled`: the volume stays, and its notification was sent.
 * - `given_back`: the backend's sums do not count it any more. Nothing follows.
 */
export type ClaimItem = {
  host: string;
  /** The claim's name: `KEY#ATTEMPT#TIME`. */
  claim: string;
  state: "open" | "settled" | "given_back";
  size?: number;
  /** The sort key of the index of open claims; absent on a closed one. */
  open_since?: string;
};

/** How long a closed claim refuses late calls: far longer than any function lives. DynamoDB deletes it some time after. */
const KEPT_SECONDS = 2 * 86_400;

const OPEN_COLUMNS = "#state = :open, #size = :size, #open_since = :at";

/** Changes nothing when the claim has an item. */
const OPEN = statement(`SET ${OPEN_COLUMNS}`, "attribute_not_exists(#state)", { ":open": "open" });

/** Also of a claim that has no item yet: most creates end before it gets one. */
const NOT_CLOSED = "attribute_not_exists(#state) OR #state = :open";

const SETTLE = statement("SET #state = :settled, #expires_at = :expires_at REMOVE #open_since", NOT_CLOSED, {
  ":open": "open",
  ":settled": "settled",
});

const SETTLE_UNSENT = statement(`SET ${OPEN_COLUMNS}`, NOT_CLOSED, { ":open": "open" });

const GIVE_BACK = statement("SET #state = :given_back, #expires_at = :expires_at REMOVE #open_since", "", {
  ":given_back": "given_back",
});

/** The table of claims. Each write is one update that may be repeated. */
export class ClaimItems {
  readonly #table: Table;
  readonly #now: () => Date;

  constructor(client: DynamoDb, tableName: string, now: () => Date) {
    this.#table = { client, tableName, key: "host" };
    this.#now = now;
  }

  async get(host: string, ref: ClaimRef): Promise<ClaimItem | undefined> {
    const item = await find(this.#table, keyOf(host, nameOf(ref)));
    return item === undefined ? undefined : (unmarshall(item) as ClaimItem);
  }

  /** Those of the given claims that have an item, by name; consistent. */
  async getMany(host: string, refs: readonly ClaimRef[]): Promise<Map<string, ClaimItem>> {
    const items = await readItems(
      this.#table,
      refs.map((ref) => keyOf(host, nameOf(ref))),
    );
    return new Map(items.map((item) => unmarshall(item) as ClaimItem).map((item) => [item.claim, item]));
  }

  /** All that a key's attempt has, closed ones included; consistent. */
  ofAttempt(host: string, key: string, attempt: number): Promise<ClaimItem[]> {
    return this.#query({
      KeyConditionExpression: "#host = :host AND begins_with(#claim, :prefix)",
      ExpressionAttributeNames: { "#host": "host", "#claim": "claim" },
      ExpressionAttributeValues: { ":host": { S: host }, ":prefix": { S: nameOf({ key, attempt, claimedAt: "" }) } },
    });
  }

  /** The open ones of a backend, the oldest first, and only those that were made before `before`; consistent. */
  open(host: string, before?: string): Promise<ClaimItem[]> {
    return this.#query({
      IndexName: INDEXES.openClaims,
      KeyConditionExpression: `#host = :host${before === undefined ? "" : " AND #open_since < :before"}`,
      ExpressionAttributeNames: { "#host": "host", ...(before !== undefined && { "#open_since": "open_since" }) },
      ExpressionAttributeValues: { ":host": { S: host }, ...(before !== undefined && { ":before": { S: before } }) },
    });
  }

  async #query(query: Parameters<typeof queryAll>[1]): Promise<ClaimItem[]> {
    return (await queryAll(this.#table, query)).map((item) => unmarshall(item) as ClaimItem);
  }

  /** Gives an open claim its item, unless it has one. */
  async enter(host: string, key: string, claim: CapacityClaim): Promise<void> {
    await this.#update(host, refOf(key, claim), OPEN, { ":size": claim.size, ":at": claim.claimed_at });
  }

  async settle(host: string, ref: ClaimRef): Promise<void> {
    await this.#update(host, ref, SETTLE, { ":expires_at": this.#expiry() });
  }

  async settleUnsent(host: string, ref: ClaimRef): Promise<void> {
    await this.#update(host, ref, SETTLE_UNSENT, { ":size": 0, ":at": ref.claimedAt });
  }

  async giveBack(host: string, ref: ClaimRef): Promise<void> {
    await this.#update(host, ref, GIVE_BACK, { ":expires_at": this.#expiry() });
  }

  async #update(host: string, ref: ClaimRef, prepared: Statement, values: Record<string, unknown>): Promise<void> {
    await tryUpdate(this.#table, keyOf(host, nameOf(ref)), prepared, { values });
  }

  /** Seconds since 1970, as DynamoDB's time to live has it. */
  #expiry(): number {
    return Math.ceil(this.#now().getTime() / 1000) + KEPT_SECONDS;
  }
}

/** The claim that an open item stands for. */
export function claimOfItem({ claim, size = 0 }: ClaimItem): CapacityClaim {
  const [, attempt = "", claimedAt = ""] = claim.split("#");
  const isSuspected = Number(attempt) === RETURNED_CAPACITY;
  return { attempt: Number(attempt), size, claimed_at: claimedAt, ...(isSuspected && { suspected_orphan: true }) };
}

/** The claim of a key. */
export function refOf(key: string, { attempt, claimed_at: claimedAt }: CapacityClaim): ClaimRef {
  return { key, attempt, claimedAt };
}

/** The name of a claim's item. */
export function nameOf({ key, attempt, claimedAt }: ClaimRef): string {
  return `${key}#${attempt}#${claimedAt}`;
}

/** The key in the name of a claim's item. */
export function keyInName(name: string): string {
  return name.slice(0, name.indexOf("#"));
}

function keyOf(host: string, claim: string): Item {
  return toItem({ host, claim });
}
