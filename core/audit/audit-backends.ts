import { auditAllocated, auditClaims, countBackends } from "./capacity.ts";
import { auditContents, oneLineOf, type Seen } from "./contents.ts";
import { isOn } from "./judge.ts";
import { auditLocks, auditSnapshots, auditVolumes } from "./records.ts";
import type { AuditReport, AuditRequest } from "./report.ts";
import { type AuditDependencies, type AuditRun, beginRun } from "./run.ts";
import { InvalidInput } from "../errors.ts";

export type { AuditDependencies } from "./run.ts";

/**
 * Compares what each backend holds with the records, in both directions, and the capacity that is counted with the volumes that it is
 * counted for. With `reap` it deletes unclaimed data; without, it changes nothing but locks on sources: it removes stale ones, and makes
 * items of those of an earlier release.
 *
 * Reads listings and records in batches: in addition to one batch it keeps the ids on the backends, and the first findings of each kind. A
 * backend that is down, does not answer or cannot be listed to the end is named, and the others are audited. Backends for which the time
 * does not suffice are named too. It may be repeated, and run concurrently with itself and with everything else.
 *
 * @throws InvalidInput when the request names a backend that is not configured; what listing the records throws
 */
export async function auditBackends(deps: AuditDependencies, request: AuditRequest): Promise<AuditReport> {
  const { host } = request;
  const hosts = host === null ? deps.drivers.hosts : deps.drivers.hosts.filter((one) => one === host);
  if (hosts.length === 0) {
    throw new InvalidInput(`no backend ${host ?? ""} is configured; there are ${deps.drivers.hosts.join(", ")}`);
  }
  const run = beginRun(deps, request);
  const before = await countBackends(run);
  before.backends.unreadable?.forEach((each) => run.book.unreadable("backend", each));
  const seen = new Map<string, Seen>();
  for (const each of hosts) {
    const contents = await auditHost(run, each);
    if (contents !== undefined) {
      seen.set(each, contents);
    }
  }
  const sizes = await auditVolumes(run, seen);
  await auditSnapshots(run, seen);
  await auditLocks(run);
  const isAsked = ({ host: pool }: { host: string }): boolean => hosts.some((each) => isOn(each, pool));
  const counted = await countBackends(run);
  const after = { ...counted, backends: counted.backends.filter(isAsked) };
  await auditClaims(run, after.backends);
  if (sizes !== undefined) {
    auditAllocated(run, before, after, sizes);
  }
  return run.book.report();
}

async function auditHost(run: AuditRun, host: string): Promise<Seen | undefined> {
  try {
    const driver = run.drivers.forHost(host);
    if (!(await run.timeLimit(driver.initialized()))) {
      run.book.unaudited({ host, reason: "its driver is not initialized" });
      return undefined;
    }
    return await auditContents(run, host, driver);
  } catch (error) {
    run.book.unaudited({ host, reason: oneLineOf(error) });
    return undefined;
  }
}
