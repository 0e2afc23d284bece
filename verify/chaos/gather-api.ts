import { createReadStream } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { effectiveLimits } from "../../core/api/quotas/limits.ts";
import { LEFT_OVER_SECONDS, settleLeftOvers } from "../../core/api/quotas/settle.ts";
import { auditProjects } from "../../core/audit/audit-projects.ts";
import type { ProjectQuota } from "../../core/projects.ts";
import { type Api, type ApiFailure, parsedObject } from "./api.ts";
import type { ApiEvidence, ProjectState } from "./evidence.ts";
import type { Services } from "./services.ts";

/**
 * The projects when all is at rest and the time has passed after which the product takes a reservation for left over. This run does not wait
 * for it: the product's own code is called with a clock that says so.
 */
export async function projectsOf(services: Services): Promise<ProjectState[]> {
  const { projects, volumes, snapshots } = services;
  const late = new Date(Date.now() + 2 * LEFT_OVER_SECONDS * 1000);
  const deps = { projects, volumes, snapshots, clock: { now: () => late } };
  const leftOver = new Map<string, number>();
  for (const { projectId, quota } of await projects.listQuotas()) {
    leftOver.set(projectId, reservedForChanges(quota));
    await settleLeftOvers(deps, projectId, quota);
  }
  const settled = await projects.listQuotas();
  await auditProjects(deps);
  return Promise.all(
    settled.map(async ({ projectId: id, quota: { used, limits } }): Promise<ProjectState> => {
      const audited = await projects.quota(id);
      const entries = [
        ...(await projects.list(id, "volume", { limit: Infinity })),
        ...(await projects.list(id, "snapshot", { limit: Infinity })),
      ];
      const {
        volumes: most = -1,
        gigabytes = -1,
        snapshots: mostSnapshots = -1,
      } = effectiveLimits({ limits }, { limits: {} });
      return {
        id,
        limits: { volumes: most, gigabytes, snapshots: mostSnapshots },
        leftOverGib: leftOver.get(id) ?? 0,
        settled: used,
        audited: audited.used,
        reservations: Object.keys(audited.moving),
        entries: entries.map(({ kind, id: entryId, name, createdAt }) => ({ kind, id: entryId, name, createdAt })),
      };
    }),
  );
}

/** A repeated create finds its reservation; each repeated extension or snapshot makes its own. */
function reservedForChanges({ moving }: Pick<ProjectQuota, "moving">): number {
  return Object.entries(moving)
    .filter(([holder, { kind }]) => kind === "taken" && !holder.startsWith("volume:"))
    .reduce((sum, [, { usage }]) => sum + (usage["gigabytes"] ?? 0), 0);
}

/** Lines of the functions' log that say what the API's evidence needs. */
type ApiLog = {
  /** Causes of failed requests by their ids. */
  causes: ReadonlyMap<string, string>;
  corrections: number;
};

async function readLog(directory: string): Promise<ApiLog> {
  const causes = new Map<string, string>();
  let corrections = 0;
  for await (const line of createInterface({ input: createReadStream(path.join(directory, "cloud.log")) })) {
    if (/"message":"(request failed|audited projects)"/.test(line)) {
      // A line that a kill has cut says nothing.
      const logged = parsedObject(line.slice(line.indexOf("{")));
      if (logged["message"] === "request failed") {
        causes.set(String(logged["request_id"]), `${String(logged["error"])}: ${String(logged["cause"])}`);
      } else {
        corrections += Number(logged["corrected"]);
      }
    }
  }
  return { causes, corrections };
}

/**
 * Causes that the SDK of a function names for an injected fault of a service: an answer with 503 that has no body, or a connection that breaks.
 * A cast that failed is named by its error.
 */
const INJECTED =
  /^(The volume could not be scheduled: )?(Unknown|TimeoutError|Error: (connect|read|write) E[A-Z]+)(:|$)/;

/** The failures that no injected fault explains, with their causes. Where no function has answered, its time-out or crash is the cause. */
export function unexplained(
  failures: readonly ApiFailure[],
  causes: ReadonlyMap<string, string>,
): ApiEvidence["failures"] {
  return failures.flatMap(({ request, status, requestId, message }) => {
    const cause = requestId === null ? undefined : (causes.get(requestId) ?? message);
    const isExplained = cause === undefined ? message.includes("Internal Server Error") : INJECTED.test(cause);
    return isExplained ? [] : [{ request, cause: `${status} ${cause ?? message}` }];
  });
}

/** The API's failures and the audits' corrections in the log of the run. */
export async function loggedOf(
  directory: string,
  { failures }: Pick<Api, "failures">,
): Promise<Pick<ApiEvidence, "failures" | "corrections">> {
  const { causes, corrections } = await readLog(directory);
  return { failures: unexplained(failures, causes), corrections };
}
