import * as v from "valibot";
import type { Owner } from "../ports.ts";

/** Keys that every task of the workflow gets: who it works for, and which attempt it is. */
export const OwnerInputSchema = v.object({
  volume_id: v.pipe(v.string(), v.uuid("volume_id must be a UUID")),
  fence: v.pipe(v.string(), v.nonEmpty()),
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  host: v.pipe(v.string(), v.nonEmpty()),
  context: v.object({
    request_id: v.string(),
    user_id: v.nullable(v.string()),
    project_id: v.nullable(v.string()),
    is_admin: v.boolean(),
    roles: v.array(v.string()),
  }),
});

/** See {@link OwnerInputSchema}. */
export type OwnerInput = v.InferOutput<typeof OwnerInputSchema>;

/** The attempt in whose name a task writes. */
export function ownerOf(input: OwnerInput): Owner {
  return { volumeId: input.volume_id, fence: input.fence, attempt: input.attempt };
}
