import { FenceLost, VolumeDeleteRequested } from "../errors.ts";
import type { Owner } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";
import { isOwnedBy } from "../volume-lifecycle.ts";

/**
 * Stops a late turn before it acts on a backend, which knows no fences. Each write checks the same again.
 *
 * @throws FenceLost when the record, as it was read, is not the attempt's or has left the flow; VolumeDeleteRequested.
 */
export function requireInFlow(volume: VolumeRecord, owner: Owner): void {
  if (volume.fence === owner.fence && volume.delete_requested_at !== null) {
    throw new VolumeDeleteRequested(volume.id);
  }
  if (!isOwnedBy(volume, owner.fence)) {
    throw new FenceLost(volume.id, owner.fence, `it is ${volume.status} and belongs to ${volume.fence ?? "nobody"}`);
  }
}
