import type { ClaimLimits, ClaimRef, Owner } from "../../core/ports.ts";
import type { BackendRecord, CapacityClaim } from "../../core/records.ts";
import { type BackendState, type Entry, stateOf } from "./backend-item.ts";
import * as statements from "./backend-statements.ts";
import { claimOfItem, type ClaimItem, type ClaimItems, keyInName, nameOf, refOf } from "./claim-items.ts";
import { find, NAMES_AT_ONCE, type Item, type Statement, type Table, tryUpdate } from "./table.ts";

/** At so many entries, the one who made the last takes them off. */
const TIDY_AT = 8;

/** How often capacity is given back again because others were faster. */
const GIVE_BACK_ROUNDS = 100;

/** How often a claim is tried again because entries were taken off; more than that is left to the caller, who reads the backend again. */
const CLAIM_ROUNDS = 8;

/** A claim that is open on a backend, by its key. */
export type KeyedClaim = { key: string; claim: CapacityClaim };

/**
 * Claims on backends. The sums are on the backend's item, and each claim has an item of its own ({@link ClaimItems}). Two items do not
 * change in one write, so each change of the sums makes an entry in `claims` on the backend's item, in the same write. Anyone may take an
 * entry off once the claim's own item exists, or says `given_back` (docs/adr/0027).
 *
 * Each change takes place once, however often and late it is requested. It is conditional on `moves` as it was before the entry and the
 * claim's item were read, and `moves` changes whenever an entry is taken off. So a write either finds the entry of the first one, or is
 * refused, and the claim's item shows what became of it.
 */
export class BackendClaims {
  readonly #table: Table;
  readonly #items: ClaimItems;
  readonly #now: () => Date;

  constructor(table: Table, items: ClaimItems, now: () => Date) {
    this.#table = table;
    this.#items = items;
    this.#now = now;
  }

  /** See {@link BackendRepository.claim}. */
  async claim(
    backend: BackendRecord,
    { volumeId: key, attempt }: Owner,
    size: number,
    limits: ClaimLimits,
  ): Promise<BackendRecord | undefined> {
    const claim: CapacityClaim = { attempt, size, claimed_at: this.#now().toISOString() };
    let moves = backend.moves ?? 0;
    for (let round = 0; round < CLAIM_ROUNDS; round += 1) {
      const item = await this.#count(backend, moves, { key, claim }, limits);
      if (item !== undefined) {
        const counted = stateOf(item);
        return withClaim(await this.#tidyWhenFull(counted), key, counted.entries[key] ?? claim);
      }
      const state = await this.#read(backend.host);
      if (state === undefined) {
        return undefined;
      }
      const held = await this.#afterRefusal(state, key, claim);
      if (held === "closed" || (state.moves === moves && state.entries[key] === undefined)) {
        return undefined;
      }
      if (held !== undefined) {
        return withClaim(state, key, held);
      }
      moves = state.moves;
    }
    return undefined;
  }

  #count(
    backend: BackendRecord,
    moves: number,
    { key, claim }: KeyedClaim,
    { maxProvisionedCapacityGb, minFreeCapacityGb }: ClaimLimits,
  ): Promise<Item | undefined> {
    const prepared = statements.claim({
      countsFree: typeof backend.free_capacity_gb === "number",
      boundsProvisioned: maxProvisionedCapacityGb !== null,
      boundsFree: minFreeCapacityGb !== null,
    });
    const values = {
      ":entry": claim,
      ":size": claim.size,
      ":moves": moves,
      ":reported_at": backend.reported_at,
      ...(maxProvisionedCapacityGb !== null && { ":max_provisioned": maxProvisionedCapacityGb }),
      ...(minFreeCapacityGb !== null && { ":min_free": minFreeCapacityGb }),
    };
    return tryUpdate(this.#table, backend.host, prepared, { values, names: { "#volume": key }, returnItem: true });
  }

  /**
   * The claim of the same attempt, if the refused one finds it: made by another delivery, or by the first try of this very write, whose
   * answer was lost. `closed`: the first try was counted, and others have closed it since; it must not be counted again. An entry of
   * anything else is taken off.
   */
  async #afterRefusal(
    state: BackendState,
    key: string,
    claim: CapacityClaim,
  ): Promise<CapacityClaim | "closed" | undefined> {
    const entry = state.entries[key];
    const own = refOf(key, claim);
    const isOwn = entry !== undefined && isOf(entry, own);
    const refs = entry === undefined || isOwn ? [own] : [own, refOf(key, entry)];
    const items = await this.#items.getMany(state.backend.host, refs);
    const item = items.get(nameOf(own));
    if (!isOpen(item) || (isOwn && entry.given_back === true)) {
      return "closed";
    }
    if (item !== undefined) {
      return claimOfItem(item);
    }
    if (entry === undefined) {
      return undefined;
    }
    if (entry.given_back !== true && entry.attempt === claim.attempt && isOpen(items.get(nameOf(refOf(key, entry))))) {
      return entry;
    }
    await this.tidy(state, key);
    return undefined;
  }

  /** See {@link BackendRepository.release}. */
  release(host: string, ref: ClaimRef): Promise<void> {
    const sizeOf = (item: ClaimItem | undefined, entry: Entry | undefined): number | undefined => {
      const found = item ?? entry;
      return isOpen(item) ? found?.size : undefined;
    };
    return this.#giveBack(host, ref, sizeOf, (state) => state.countsFree);
  }

  /** See {@link BackendRepository.returnCapacity}. */
  returnCapacity(host: string, ref: ClaimRef, size: number): Promise<void> {
    return this.#giveBack(
      host,
      ref,
      () => size,
      () => false,
    );
  }

  /**
   * Takes a claim's capacity off the sums, then closes the claim.
   * Interrupted in between: the entry stays, and the next call or {@link tidy} closes the claim.
   *
   * @param sizeOf what to give back; undefined when nothing is to be given back any more
   */
  async #giveBack(
    host: string,
    ref: ClaimRef,
    sizeOf: (item: ClaimItem | undefined, entry: Entry | undefined) => number | undefined,
    countsFree: (state: BackendState) => boolean,
  ): Promise<void> {
    for (let round = 0; round < GIVE_BACK_ROUNDS; round += 1) {
      const state = await this.#read(host);
      if (state === undefined) {
        return;
      }
      const found = state.entries[ref.key];
      const entry = found !== undefined && isOf(found, ref) ? found : undefined;
      const item = await this.#items.get(host, ref);
      const size = sizeOf(item, entry);
      if (item?.state === "given_back") {
        // A removal may be repeated for days. The item shows that nothing is to be given back, so it must not expire before.
        await this.#items.giveBack(host, ref);
        return;
      }
      if (size === undefined) {
        return;
      }
      if (found !== entry) {
        await this.tidy(state, ref.key);
        continue;
      }
      const given =
        entry?.given_back === true
          ? state
          : await this.#takeOff(state, ref, size, statements.giveBack(countsFree(state), entry !== undefined));
      if (given !== undefined) {
        await this.#items.giveBack(host, ref);
        await this.#tidyWhenFull(given);
        return;
      }
    }
    throw new Error(`The capacity of ${nameOf(ref)} on ${host} was not given back in ${GIVE_BACK_ROUNDS} rounds`);
  }

  async #takeOff(
    { backend, moves }: BackendState,
    { key, attempt, claimedAt }: ClaimRef,
    size: number,
    prepared: Statement,
  ): Promise<BackendState | undefined> {
    const entry: Entry = { attempt, size, claimed_at: claimedAt, given_back: true };
    const values = {
      ":entry": entry,
      ":size": size,
      ":moves": moves,
      ":next_moves": moves + 1,
      ":reported_at": backend.reported_at,
    };
    const item = await tryUpdate(this.#table, backend.host, prepared, {
      values,
      names: { "#volume": key },
      returnItem: true,
    });
    return item === undefined ? undefined : stateOf(item);
  }

  /** See {@link BackendRepository.claimOf}. */
  async claimOf(host: string, key: string, attempt: number): Promise<CapacityClaim | undefined> {
    const state = await this.#read(host);
    const items = await this.#items.ofAttempt(host, key, attempt);
    const open = items.find(({ state: is }) => is === "open");
    if (open !== undefined) {
      return claimOfItem(open);
    }
    const entry = state?.entries[key];
    const isOpen = entry?.attempt === attempt && entry.given_back !== true;
    return isOpen && !items.some(({ claim }) => claim === nameOf(refOf(key, entry))) ? entry : undefined;
  }

  /** See {@link BackendRepository.isGivenBack}. */
  async isGivenBack(host: string, ref: ClaimRef): Promise<boolean> {
    const entry = (await this.#read(host))?.entries[ref.key];
    const isEntered = entry !== undefined && isOf(entry, ref) && entry.given_back === true;
    return isEntered || (await this.#items.get(host, ref))?.state === "given_back";
  }

  /** The claims that are open on a backend, and the item as it was before these were read. */
  async open(host: string, before?: string): Promise<{ state: BackendState | undefined; claims: KeyedClaim[] }> {
    const state = await this.#read(host);
    const entries = Object.entries(state?.entries ?? {}).filter(
      ([, entry]) => entry.given_back !== true && (before === undefined || entry.claimed_at < before),
    );
    // In this order: an entry that gets its item in between is found twice, and counted once.
    const known = await this.#items.getMany(
      host,
      entries.map(([key, entry]) => refOf(key, entry)),
    );
    const open = await this.#items.open(host, before);
    const claims = new Map(open.map((item) => [item.claim, { key: keyInName(item.claim), claim: claimOfItem(item) }]));
    for (const [key, entry] of entries) {
      const name = nameOf(refOf(key, entry));
      if (!known.has(name) && !claims.has(name)) {
        claims.set(name, { key, claim: entry });
      }
    }
    return { state, claims: [...claims.values()] };
  }

  /**
   * Takes entries off, {@link NAMES_AT_ONCE} at most, after every claim has its item. Returns the backend as it is then; undefined when
   * another call was faster.
   *
   * @param first the key whose entry has to be among them
   */
  async tidy({ backend: { host }, entries, moves }: BackendState, first?: string): Promise<BackendState | undefined> {
    const list = Object.entries(entries)
      .toSorted(([one], [other]) => Number(other === first) - Number(one === first))
      .slice(0, NAMES_AT_ONCE);
    const items = await this.#items.getMany(
      host,
      list.map(([key, entry]) => refOf(key, entry)),
    );
    await Promise.all(
      list.map(async ([key, entry]) => {
        const ref = refOf(key, entry);
        const item = items.get(nameOf(ref));
        if (entry.given_back === true) {
          await (item?.state === "given_back" ? undefined : this.#items.giveBack(host, ref));
        } else if (item === undefined) {
          await this.#items.enter(host, key, entry);
        }
      }),
    );
    const names = Object.fromEntries(list.map(([key], index) => [`#volume${index}`, key]));
    const values = { ":moves": moves, ":next_moves": moves + 1 };
    const item = await tryUpdate(this.#table, host, statements.tidy(list.length), {
      values,
      names,
      returnItem: true,
    });
    return item === undefined ? undefined : stateOf(item);
  }

  /** Takes all entries off that are there now, as far as no other call is faster. */
  async tidyAll(state: BackendState): Promise<void> {
    let left: BackendState | undefined = state;
    do {
      left = await this.tidy(left);
    } while (left !== undefined && Object.keys(left.entries).length >= NAMES_AT_ONCE);
  }

  async #tidyWhenFull(state: BackendState): Promise<BackendState> {
    const isFull = Object.keys(state.entries).length >= TIDY_AT;
    return (isFull ? await this.tidy(state) : undefined) ?? state;
  }

  async #read(host: string): Promise<BackendState | undefined> {
    const item = await find(this.#table, host);
    return item === undefined ? undefined : stateOf(item);
  }
}

/** Whether a claim with this item, or with an entry alone, is open. */
function isOpen(item: ClaimItem | undefined): boolean {
  return item === undefined || item.state === "open";
}

function withClaim({ backend }: BackendState, key: string, claim: CapacityClaim): BackendRecord {
  return { ...backend, claims: { ...backend.claims, [key]: claim } };
}

function isOf(entry: Entry, { attempt, claimedAt }: ClaimRef): boolean {
  return entry.attempt === attempt && entry.claimed_at === claimedAt;
}
