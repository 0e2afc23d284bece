import { setTimeout as delay } from "node:timers/promises";
import type { Api } from "./api.ts";
import type { ReadProblem } from "./evidence.ts";
import { type Listed, problemsOf, problemsOfQuota, type QuotaSet } from "./listing.ts";
import type { Random } from "./random.ts";
import { type Limits, UNLIMITED } from "./work.ts";

/** The clients' knowledge of a volume that was asked for through the API. */
export type Known = {
  id: string;
  project: string;
  /** Its create was answered. */
  isAnswered: boolean;
  /** A client deletes it, or is about to. */
  isLeaving: boolean;
};

/** Clients that list, show and look at quotas for as long as the run lasts. */
export type Readers = {
  readonly problems: readonly ReadProblem[];
  readonly counts: Record<"lists" | "pages" | "shows" | "looks at quotas", number>;
  /** Ends after the list that is being read. */
  finish(): Promise<void>;
};

type ReadersOptions = {
  api: Api;
  projects: readonly string[];
  limits: Readonly<Record<string, Limits>>;
  /** Everything that was asked for until now. */
  known: () => readonly Known[];
  random: Random;
};

const PAUSE_MS = 700;

export function startReaders(options: ReadersOptions): Readers {
  const problems: ReadProblem[] = [];
  const counts: Readers["counts"] = { lists: 0, pages: 0, shows: 0, "looks at quotas": 0 };
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      const project = options.projects[turn % options.projects.length] ?? "";
      problems.push(...(await readList(options, project, counts)), ...(await readQuota(options, project, counts)));
      await delay(PAUSE_MS);
    }
  };
  const running = run();
  // The run's end gets the error.
  running.catch(() => undefined);
  return {
    problems,
    counts,
    finish: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function readList(
  { api, limits, known, random }: ReadersOptions,
  project: string,
  counts: Readers["counts"],
): Promise<ReadProblem[]> {
  const inProject = () => known().filter((each) => each.project === project);
  const before = inProject().filter(({ isAnswered, isLeaving }) => isAnswered && !isLeaving);
  const listed: Listed[] = [];
  const limit = 5 + random.below(200);
  for (let marker: string | undefined; ;) {
    const after = marker === undefined ? "" : `&marker=${marker}`;
    const { status, body } = await api.ask({ project, method: "GET", path: `/volumes/detail?limit=${limit}${after}` });
    counts.pages += 1;
    if (status === 404 && marker !== undefined && known().some(({ id, isLeaving }) => id === marker && isLeaving)) {
      // The volume that the page was to begin after is gone. The next list is read from its beginning.
      return [];
    }
    if (status !== 200) {
      return [{ subject: project, message: `a page of its list is answered by ${status}: ${JSON.stringify(body)}` }];
    }
    const page = body["volumes"] as Listed[];
    listed.push(...page);
    marker = page.at(-1)?.id;
    if (page.length < limit || marker === undefined) {
      break;
    }
  }
  counts.lists += 1;
  const traversal = {
    project,
    listed,
    there: before.filter(({ isLeaving }) => !isLeaving).map(({ id }) => id),
    askedFor: new Set(inProject().map(({ id }) => id)),
    limit: (limits[project] ?? UNLIMITED).volumes,
  };
  return [...problemsOf(traversal), ...(await showOne({ api, known, random }, project, listed, counts))];
}

/** A volume that was listed can be shown, unless it was deleted since. */
async function showOne(
  { api, known, random }: Pick<ReadersOptions, "api" | "known" | "random">,
  project: string,
  listed: readonly Listed[],
  counts: Readers["counts"],
): Promise<ReadProblem[]> {
  const id = listed[random.below(listed.length)]?.id;
  if (id === undefined) {
    return [];
  }
  const { status, body } = await api.ask({ project, method: "GET", path: `/volumes/${id}` });
  counts.shows += 1;
  const isShown = status === 200 && (body["volume"] as { id: string }).id === id;
  const isLeaving = known().some((each) => each.id === id && each.isLeaving);
  return isShown || (status === 404 && isLeaving)
    ? []
    : [{ subject: id, message: `it was listed in ${project}, and showing it is answered by ${status}` }];
}

async function readQuota({ api }: ReadersOptions, project: string, counts: Readers["counts"]): Promise<ReadProblem[]> {
  const path = `/os-quota-sets/${project}?usage=true`;
  const { status, body } = await api.ask({ project, method: "GET", path });
  counts["looks at quotas"] += 1;
  return status === 200
    ? problemsOfQuota(project, body["quota_set"] as QuotaSet)
    : [{ subject: project, message: `its quota is answered by ${status}` }];
}
