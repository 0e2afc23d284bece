import type { VolumeRecord } from "../../records.ts";
import { readAction } from "../actions.ts";
import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { authorize, type PolicyRule } from "../policies.ts";
import * as types from "../schemas/types.ts";
import type { Schema } from "../validation.ts";
import { ATTACH_ACTIONS } from "./attach-actions.ts";
import { forceDelete } from "./delete.ts";
import { extendSchema, extendVolume } from "./extend.ts";
import {
  setImageMetadata,
  setImageMetadataSchema,
  showImageMetadata,
  unsetImageMetadata,
  unsetImageMetadataSchema,
} from "./image-metadata.ts";
import { readonlyFlagSchema, updateReadonlyFlag } from "./readonly.ts";
import { resetStatus, resetStatusSchema } from "./reset-status.ts";
import { retypeSchema, retypeVolume } from "./retype.ts";
import { visibleVolume } from "./show.ts";
import { setBootable } from "./update.ts";

/** One action of `POST /volumes/{id}/action`, by its key in the body. */
type VolumeAction = {
  policy: PolicyRule;
  /** The value of the key. */
  schema: Schema;
  run: (deps: ApiDependencies, volume: VolumeRecord, body: unknown, call: Call) => Promise<Answer>;
};

const ACTIONS = {
  "os-set_bootable": {
    policy: "volume_extension:volume_actions:set_bootable",
    schema: {
      type: "object",
      properties: { bootable: types.boolean },
      required: ["bootable"],
      additionalProperties: false,
    },
    run: setBootable,
  },
  "os-show_image_metadata": {
    policy: "volume_extension:volume_image_metadata:show",
    schema: {},
    run: showImageMetadata,
  },
  "os-set_image_metadata": {
    policy: "volume_extension:volume_image_metadata:set",
    schema: setImageMetadataSchema,
    run: setImageMetadata,
  },
  "os-unset_image_metadata": {
    policy: "volume_extension:volume_image_metadata:remove",
    schema: unsetImageMetadataSchema,
    run: unsetImageMetadata,
  },
  "os-update_readonly_flag": {
    policy: "volume:update_readonly_flag",
    schema: readonlyFlagSchema,
    run: updateReadonlyFlag,
  },
  "os-extend": { policy: "volume:extend", schema: extendSchema, run: extendVolume },
  "os-retype": { policy: "volume:retype", schema: retypeSchema, run: retypeVolume },
  "os-reset_status": {
    policy: "volume_extension:volume_admin_actions:reset_status",
    schema: resetStatusSchema,
    run: resetStatus,
  },
  "os-force_delete": {
    policy: "volume_extension:volume_admin_actions:force_delete",
    schema: {},
    run: forceDelete,
  },
  ...ATTACH_ACTIONS,
} as const satisfies Readonly<Record<string, VolumeAction>>;

const SCHEMAS = Object.fromEntries(Object.entries(ACTIONS).map(([name, { schema }]) => [name, schema])) as Readonly<
  Record<keyof typeof ACTIONS, Schema>
>;

/** `POST /volumes/{id}/action`: the body has one key, which names the action. */
export async function actOnVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { name, value } = readAction(call, SCHEMAS);
  const action: VolumeAction = ACTIONS[name];
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  authorize(call.caller, action.policy);
  return action.run(deps, volume, value, call);
}
