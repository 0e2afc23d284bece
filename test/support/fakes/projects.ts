import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../../core/ports.ts";
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
} from "../../../core/projects.ts";

type Quota = {
  used: Record<string, number>;
  limits: Record<string, number>;
  moving: Record<string, Movement>;
  returns: number;
};

/** Projects in memory, under the contract of the port. */
export class ProjectsFake implements ProjectRepository {
  readonly entries = new Map<string, ListEntry>();
  readonly quotas = new Map<string, Quota>();
  readonly names = new Map<string, NameClaim & { expiresAt?: Date }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async enter(entry: ListEntry): Promise<void> {
    this.entries.set(keyOf(entry), { ...entry });
  }

  async removeEntry(position: ListPosition): Promise<void> {
    this.entries.delete(keyOf(position));
  }

  async leave(position: ListPosition): Promise<void> {
    await this.removeEntry(position);
    await this.confirm(position.projectId, `${position.kind}:${position.id}`);
  }

  async rename(position: ListPosition, name: string | null): Promise<void> {
    const entry = this.entries.get(keyOf(position));
    if (entry !== undefined) {
      Object.assign(entry, { name, renamedAt: this.#clock.now().toISOString() });
    }
  }

  async correctName(read: ListEntry, name: string | null): Promise<void> {
    if (this.entries.get(keyOf(read))?.renamedAt === read.renamedAt) {
      await this.rename(read, name);
    }
  }

  async list(projectId: string, kind: ListedKind, { limit, after, name }: ListOptions): Promise<ListEntry[]> {
    const start = after === undefined ? undefined : keyOf(after);
    return (await this.listAll(kind))
      .filter((entry) => entry.projectId === projectId && (name === undefined || entry.name === name))
      .filter((entry) => start === undefined || keyOf(entry) < start)
      .toSorted((one, other) => (keyOf(one) > keyOf(other) ? -1 : 1))
      .slice(0, limit);
  }

  async listAll(kind: ListedKind): Promise<ListEntry[]> {
    return [...this.entries.values()].filter((entry) => entry.kind === kind).map((entry) => ({ ...entry }));
  }

  async quota(projectId: string): Promise<ProjectQuota> {
    const { used, limits, moving } = this.#quota(projectId);
    return structuredClone({ used, limits, moving });
  }

  async listQuotas(): Promise<{ projectId: string; quota: CountedQuota }[]> {
    return structuredClone([...this.quotas].map(([projectId, quota]) => ({ projectId, quota })));
  }

  async correctUsage(projectId: string, read: CountedQuota, used: Usage): Promise<boolean> {
    const quota = this.#quota(projectId);
    const isAsRead = isDeepStrictEqual(quota.used, read.used) && quota.returns === read.returns;
    if (isAsRead && Object.keys(quota.moving).length === 0) {
      quota.used = { ...used };
      return true;
    }
    return false;
  }

  async reserve({ projectId, holder, usage, limits }: Reservation): Promise<ReserveResult> {
    const quota = this.#quota(projectId);
    const earlier = quota.moving[holder];
    if (earlier?.kind === "taken") {
      return { reservedAt: earlier.at };
    }
    const exceeded = Object.keys(usage)
      .toSorted()
      .find((resource) => {
        const limit = limits[resource] ?? UNLIMITED;
        return limit !== UNLIMITED && (quota.used[resource] ?? 0) + (usage[resource] ?? 0) > limit;
      });
    if (exceeded !== undefined) {
      return { exceeded, quota: await this.quota(projectId) };
    }
    change(quota, usage, 1);
    const at = this.#clock.now().toISOString();
    quota.moving[holder] = { kind: "taken", usage, at };
    return { reservedAt: at };
  }

  async confirm(projectId: string, holder: string, reservedAt?: string): Promise<void> {
    const { moving } = this.#quota(projectId);
    if (reservedAt === undefined || moving[holder]?.at === reservedAt) {
      delete moving[holder];
    }
  }

  async cancel(projectId: string, holder: string, reservedAt?: string): Promise<void> {
    const quota = this.#quota(projectId);
    const movement = quota.moving[holder];
    if (movement?.kind === "taken" && (reservedAt ?? movement.at) === movement.at) {
      change(quota, movement.usage, -1);
      delete quota.moving[holder];
    }
  }

  async giveBack(projectId: string, holder: string, usage: Usage, isStillThere: () => Promise<boolean>): Promise<void> {
    const quota = this.#quota(projectId);
    let returns: number;
    do {
      ({ returns } = quota);
      if (quota.moving[holder]?.kind === "given_back" || !(await isStillThere())) {
        return;
      }
    } while (quota.returns !== returns);
    quota.returns += 1;
    change(quota, usage, -1);
    quota.moving[holder] = { kind: "given_back", usage, at: this.#clock.now().toISOString() };
  }

  async claimName(
    scope: NameScope,
    name: string,
    holder: string,
    { replaces, expiresAt }: { replaces?: NameClaim; expiresAt?: Date } = {},
  ): Promise<NameClaim> {
    const found = this.#claimOf(scope, name);
    const isReplaced = found?.holder === replaces?.holder && found?.claimedAt === replaces?.claimedAt;
    if (found !== undefined && found.holder !== holder && !isReplaced) {
      return found;
    }
    const claim = { scope, name, holder, claimedAt: this.#clock.now().toISOString() };
    this.names.set(`${scope} ${name}`, { ...claim, ...(expiresAt !== undefined && { expiresAt }) });
    return claim;
  }

  async findName(scope: NameScope, name: string): Promise<NameClaim | undefined> {
    return this.#claimOf(scope, name);
  }

  #claimOf(scope: NameScope, name: string): NameClaim | undefined {
    const { expiresAt, ...claim } = this.names.get(`${scope} ${name}`) ?? {};
    const isExpired = expiresAt !== undefined && expiresAt <= this.#clock.now();
    return "holder" in claim && !isExpired ? { ...claim } : undefined;
  }

  async releaseName(scope: NameScope, name: string, holder: string): Promise<void> {
    if (this.names.get(`${scope} ${name}`)?.holder === holder) {
      this.names.delete(`${scope} ${name}`);
    }
  }

  async setLimits(projectId: string, limits: Readonly<Record<string, number | null>>): Promise<ProjectQuota> {
    const quota = this.#quota(projectId);
    for (const [resource, limit] of Object.entries(limits)) {
      if (limit === null) {
        delete quota.limits[resource];
      } else {
        quota.limits[resource] = limit;
      }
    }
    return this.quota(projectId);
  }

  #quota(projectId: string): Quota {
    const found = this.quotas.get(projectId) ?? { used: {}, limits: {}, moving: {}, returns: 0 };
    this.quotas.set(projectId, found);
    return found;
  }
}

function keyOf({ projectId, kind, createdAt, id }: ListPosition): string {
  return `${projectId} ${kind}#${createdAt}#${id}`;
}

function change(quota: Quota, usage: Usage, sign: 1 | -1): void {
  for (const [resource, amount] of Object.entries(usage)) {
    quota.used[resource] = (quota.used[resource] ?? 0) + sign * amount;
  }
}
