import type { BackendRepository } from "../ports.ts";
import type { BackendRecord } from "../records.ts";

/**
 * The backends as the messages of one batch see them: read once, with the batch's own claims worked in, as Cinder's scheduler
 * consumes from its states in memory. A claim that is refused shows that others were faster, so the next look reads anew. It
 * decides nothing: every claim is conditional on what the backend's item holds by then.
 */
export function viewForBatch(
  backends: Pick<BackendRepository, "list" | "claim">,
): Pick<BackendRepository, "list" | "claim"> {
  let view: Promise<BackendRecord[]> | undefined;
  return {
    list: () => {
      view ??= backends.list().catch((error: unknown) => {
        // The next message of the batch asks again.
        view = undefined;
        throw error;
      });
      return view;
    },
    claim: async (backend, owner, size, limits) => {
      const claimed = await backends.claim(backend, owner, size, limits);
      const known = await view;
      view =
        claimed === undefined || known === undefined
          ? undefined
          : Promise.resolve(known.map((each) => (each.host === claimed.host ? claimed : each)));
      return claimed;
    },
  };
}
