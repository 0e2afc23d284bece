import { changeAttachments, type Decide } from "../../volumes/attachments.ts";
import type { VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest } from "../errors.ts";
import type { Answer } from "../http.ts";
import { booleanOf } from "../parameters.ts";
import * as types from "../schemas/types.ts";
import type { Schema } from "../validation.ts";

/** Body of `os-update_readonly_flag`. */
export const readonlyFlagSchema: Schema = {
  type: "object",
  properties: { readonly: types.boolean },
  required: ["readonly"],
  additionalProperties: false,
};

/** `os-update_readonly_flag`, of an unused volume. @throws ApiError 400 for another one */
export async function updateReadonlyFlag(deps: ApiDependencies, volume: VolumeRecord, body: unknown): Promise<Answer> {
  const { readonly: wanted } = body as { readonly: boolean | string };
  const decide: Decide = ({ id, status }) => {
    if (status !== "available") {
      throw badRequest(
        `Invalid volume: Volume ${id} status must be available to update readonly flag, but current status is: ${status}.`,
      );
    }
    return { readonly: booleanOf(String(wanted)) ?? false };
  };
  await changeAttachments(deps.volumes, volume, decide);
  return { status: 202 };
}
