import { extensionClaimFate, extensionClaimKey } from "../claims.ts";
import type { BackendRepository } from "../ports.ts";
import type { VolumeRecord } from "../records.ts";

/**
 * Closes the claim of a volume's last extension according to its record: actual growth stays counted, the rest is given back. Does nothing
 * while the extension is in progress, or when the claim is closed.
 *
 * Repeated or late: only the claim that the record names is closed.
 */
export async function closeExtensionClaim(
  backends: Pick<BackendRepository, "settle" | "release">,
  volume: VolumeRecord,
): Promise<void> {
  const { host, extension } = volume;
  if (host === null || extension?.claimed_at === undefined) {
    return;
  }
  const { number: attempt, claimed_at: claimedAt } = extension;
  const claim = { key: extensionClaimKey(volume.id), attempt, claimedAt };
  const fate = extensionClaimFate({ attempt, claimed_at: claimedAt }, volume);
  if (fate === "settle") {
    await backends.settle(host, claim);
  } else if (fate === "release") {
    await backends.release(host, claim);
  }
}
