import { validate as isUuid } from "uuid";
import type { Session } from "../session.ts";
import {
  costAnswer,
  deadLettersAnswer,
  deleteVolume,
  discard,
  executionAnswer,
  resend,
  replayAnswer,
  resetVolume,
  retryVolume,
  stateAnswer,
} from "./actions.ts";
import { Audits } from "./audits.ts";
import { alarmsAnswer, type Runbook } from "./alarms-answer.ts";
import { BackendsReader } from "./backends-answer.ts";
import { type ErrorPage, errorsAnswer } from "./error-meanings.ts";
import { connectionAnswer, volumeAnswer } from "./volume-detail.ts";
import { VolumeFeed } from "./volume-feed.ts";
import type { VolumesQuery } from "./volume-rows.ts";
import { SORT_KEYS, type SortKey } from "./wire.ts";

/** An answer with its ETag: a caller that already has it gets 304. */
export type Answer = { body: unknown; version?: string };

/** Answers a request of the interface; undefined when there is no such thing. */
export type Routes = (method: string, url: URL) => Promise<Answer | undefined>;

/** The interface of the page. */
export type Interface = {
  routes: Routes;
  /** Begins to read the volumes. A failure is that of the first answer. */
  warmUp: () => void;
};

/** The interface of the page, on one deployment. */
export function makeRoutes(
  session: Pick<Session, "connection" | "clock">,
  { errors, runbook }: { errors: ErrorPage; runbook: Runbook },
): Interface {
  const feed = new VolumeFeed(session.connection, session.clock);
  const audits = new Audits(session);
  const backends = new BackendsReader(session, feed);
  const ofVolume: Record<string, (id: string) => Promise<unknown>> = {
    "POST delete": (id) => deleteVolume(session, id),
    "POST retry": (id) => retryVolume(session, id),
    "POST reset-to-available": (id) => resetVolume(session, id, "available"),
    "POST reset-to-error": (id) => resetVolume(session, id, "error"),
  };
  const ofLetter: Record<string, (id: string) => Promise<unknown>> = {
    "POST resend": (id) => resend(session, id),
    "POST discard": (id) => discard(session, id),
  };
  const plain: Record<string, () => unknown> = {
    "GET /api/backends": () => backends.answer(),
    "GET /api/alarms": () => alarmsAnswer(session, runbook),
    "GET /api/errors": () => errorsAnswer(errors),
    "GET /api/dead-letters": () => deadLettersAnswer(session),
    "GET /api/audit": () => audits.answer(),
    "POST /api/audit": () => audits.begin(),
  };
  const routes: Routes = async (method, url) => {
    const asked = `${method} ${url.pathname}`;
    if (asked === "GET /api/volumes") {
      await feed.refresh();
      return { body: feed.answer(queryOf(url.searchParams)), version: feed.tag };
    }
    const answer = Object.hasOwn(plain, asked) ? plain[asked] : undefined;
    if (answer !== undefined) {
      return { body: await answer() };
    }
    const [, kind, id = "", action = "", name = ""] =
      /^\/api\/(volumes|dead-letters)\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (!isUuid(id)) {
      return undefined;
    }
    if (kind === "volumes" && method === "GET" && action === "") {
      return { body: await volumeAnswer(session, errors, id) };
    }
    if (kind === "volumes" && method === "GET" && action === "executions" && name !== "") {
      const state = url.searchParams.get("state");
      return {
        body:
          state === null
            ? await executionAnswer(session, id, name)
            : await stateAnswer(session, id, name, Number(state)),
      };
    }
    if (kind === "volumes" && method === "GET" && action === "connection" && name === "") {
      return { body: await connectionAnswer(session, id) };
    }
    if (kind === "volumes" && method === "POST" && action === "replay" && name !== "") {
      return { body: await replayAnswer(session, id, name) };
    }
    if (kind === "volumes" && method === "GET" && action === "cost" && name === "") {
      return { body: await costAnswer(session, id) };
    }
    const actions = kind === "volumes" ? ofVolume : ofLetter;
    const key = `${method} ${action}`;
    const act = name === "" && Object.hasOwn(actions, key) ? actions[key] : undefined;
    if (act === undefined) {
      return undefined;
    }
    try {
      return { body: await act(id) };
    } finally {
      feed.expire();
    }
  };
  return { routes, warmUp: () => void feed.refresh() };
}

/** Unknown values are ignored: the page sends only valid ones, and addresses may be edited by hand. */
function queryOf(parameters: URLSearchParams): VolumesQuery {
  const [key = "", direction] = (parameters.get("sort") ?? "").split(":");
  const isKnown = (SORT_KEYS as readonly string[]).includes(key);
  const page = Number(parameters.get("page") ?? 1);
  return {
    search: parameters.get("search") ?? "",
    status: parameters.get("status") || null,
    sort: isKnown ? (key as SortKey) : "created_at",
    isDescending: isKnown ? direction === "desc" : true,
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
}
