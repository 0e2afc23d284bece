import { useEffect, useRef, useState } from "preact/hooks";
import { type Failure, TOKEN_HEADER } from "../wire.ts";

/** Requests to the console's server. */

const TOKEN_KEY = "cinderless-console-token";

/** Takes the token out of the address, where it would be seen and copied, and keeps it for this tab. */
export function takeToken(): void {
  const given = /^#token=(?<token>[\w-]+)$/.exec(location.hash)?.groups?.["token"];
  if (given !== undefined) {
    sessionStorage.setItem(TOKEN_KEY, given);
    history.replaceState(null, "", "#/volumes");
  }
}

/** The result of a request. */
export type Outcome<Body> =
  | { kind: "body"; body: Body; tag: string | null }
  | { kind: "same" }
  | { kind: "failure"; failure: Failure };

/** Never throws: a server that does not answer is a failure like others. */
export async function request<Body>(path: string, method = "GET", tag: string | null = null): Promise<Outcome<Body>> {
  try {
    const headers = {
      [TOKEN_HEADER]: sessionStorage.getItem(TOKEN_KEY) ?? "",
      ...(tag === null ? {} : { "If-None-Match": tag }),
    };
    const response = await fetch(path, { method, headers });
    if (response.status === 304) {
      return { kind: "same" };
    }
    const body: unknown = await response.json();
    if (!response.ok) {
      const { error } = body as { error: Failure };
      return { kind: "failure", failure: error };
    }
    return { kind: "body", body: body as Body, tag: response.headers.get("ETag") };
  } catch {
    return { kind: "failure", failure: ENDED };
  }
}

const ENDED: Failure = {
  name: "Disconnected",
  message: "the command `cinderless console` does not answer",
  hint: "start it again, and open the address that it prints",
};

/** The known state of repeatedly requested data. */
export type Polled<Body> = { body: Body | undefined; failure: Failure | null; refresh: () => void };

/**
 * Asks now and then every `milliseconds`, but not while the page is hidden. A failure keeps what was known.
 */
export function usePoll<Body>(path: string, milliseconds = 1000): Polled<Body> {
  const [state, setState] = useState<{ path: string; body: Body | undefined; failure: Failure | null }>({
    path,
    body: undefined,
    failure: null,
  });
  const [turn, setTurn] = useState(0);
  const tag = useRef<{ path: string; tag: string | null }>({ path: "", tag: null });
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      clearTimeout(timer);
      if (!document.hidden) {
        const known = tag.current.path === path ? tag.current.tag : null;
        const outcome = await request<Body>(path, "GET", known);
        if (isOver) {
          return;
        }
        if (outcome.kind === "body") {
          tag.current = { path, tag: outcome.tag };
          setState({ path, body: outcome.body, failure: null });
        } else {
          const failure = outcome.kind === "failure" ? outcome.failure : null;
          setState((before) => (before.failure === null && failure === null ? before : { ...before, failure }));
        }
      }
      timer = setTimeout(() => void ask(), milliseconds);
    };
    const onShown = (): void => {
      if (!document.hidden) {
        void ask();
      }
    };
    document.addEventListener("visibilitychange", onShown);
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onShown);
    };
  }, [path, milliseconds, turn]);
  return { body: state.body, failure: state.failure, refresh: () => setTurn((before) => before + 1) };
}
