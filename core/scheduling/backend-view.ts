import type { BackendRepository, Clock } from "../ports.ts";
import type { BackendRecord } from "../records.ts";

/** A view older than this is read again. Cinder's scheduler goes by reports that are up to a minute old. */
const LONGEST_AGE_MS = 1000;

/**
 * The backends as one scheduling environment sees them: read at most once a second, with its own claims worked in, as Cinder's scheduler
 * consumes from its states in memory. A refused claim shows that others were faster, so the next use reads again.
 *
 * The view decides nothing: every claim is conditional on the backend's item at that time. Nor can it hide for long the claim of a
 * scheduling that died, because a message comes again after its visibility time-out at the earliest.
 */
export function backendView(
  backends: Pick<BackendRepository, "list" | "claim">,
  clock: Clock,
): Pick<BackendRepository, "list" | "claim"> {
  let view: { readAt: number; records: Promise<BackendRecord[]> } | undefined;

  const readAnew = (): Promise<BackendRecord[]> => {
    const fresh = { readAt: clock.now().getTime(), records: backends.list() };
    view = fresh;
    fresh.records.catch(() => {
      if (view === fresh) {
        view = undefined;
      }
    });
    return fresh.records;
  };
  return {
    list: () => {
      const isYoung = view !== undefined && clock.now().getTime() - view.readAt < LONGEST_AGE_MS;
      return view !== undefined && isYoung ? view.records : readAnew();
    },
    claim: async (backend, owner, size, limits) => {
      const claimed = await backends.claim(backend, owner, size, limits);
      if (claimed === undefined) {
        view = undefined;
      } else if (view !== undefined) {
        const records = view.records.then((known) =>
          known.map((each) => (each.host === claimed.host ? claimed : each)),
        );
        view = { ...view, records };
      }
      return claimed;
    },
  };
}
