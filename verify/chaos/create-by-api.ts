import type { Api } from "./api.ts";
import type { ApiCreate } from "./evidence.ts";
import type { ServiceFaults } from "./service-faults.ts";
import { HANGING_ZONE } from "./stack.ts";
import type { Wish } from "./work.ts";

/** Ids of a volume's source. */
export type SourceIds = { imageId: string | null; snapshotId: string | null; sourceVolumeId: string | null };

/**
 * Creates a volume through the API, as a client does that repeats a request with its key until it is answered. A client that gives up sends
 * it once.
 *
 * After some answers the client repeats the request as if the answer had been lost: it must get the same volume again.
 */
export async function createByApi(
  api: Api,
  faults: Pick<ServiceFaults, "refuse">,
  wish: Wish,
  source: SourceIds,
): Promise<ApiCreate> {
  const { name, project, sizeGib, abandoned } = wish;
  const request = { project, method: "POST", path: "/volumes", body: bodyOf(wish, source), key: name };
  const create = { name, project, sizeGib };
  if (abandoned) {
    faults.refuse(({ service, body }) => service === "sqs" && body.includes(wish.volumeId));
    for (;;) {
      const answer = await api.askOnce(request);
      if (answer !== undefined && JSON.stringify(answer.body).includes("could not be scheduled")) {
        return { ...create, ids: [], end: "abandoned" };
      }
      if (answer !== undefined && answer.status < 500) {
        return { ...create, ids: idIn(answer.body), end: "accepted" };
      }
    }
  }
  const first = await api.ask(request);
  if (first.status === 413) {
    return { ...create, ids: [], end: "refused by the quota" };
  }
  if (first.status !== 202) {
    throw new Error(`the create of ${name} is answered by ${first.status}: ${JSON.stringify(first.body)}`);
  }
  const again =
    wish.repeats > 0 && wish.zone !== HANGING_ZONE && wish.deletion === null ? await api.ask(request) : first;
  if (again.status !== 202) {
    throw new Error(`the repeated create of ${name} is answered by ${again.status}: ${JSON.stringify(again.body)}`);
  }
  return { ...create, ids: [...idIn(first.body), ...idIn(again.body)], end: "accepted" };
}

function idIn(body: Record<string, unknown>): string[] {
  const { id } = body["volume"] as { id: string };
  return [id];
}

function bodyOf({ name, sizeGib, zone }: Wish, { imageId, snapshotId, sourceVolumeId }: SourceIds): object {
  return {
    volume: {
      name,
      size: sizeGib,
      availability_zone: zone,
      ...(imageId !== null && { imageRef: imageId }),
      ...(snapshotId !== null && { snapshot_id: snapshotId }),
      ...(sourceVolumeId !== null && { source_volid: sourceVolumeId }),
    },
  };
}
