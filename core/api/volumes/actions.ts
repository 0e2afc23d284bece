import type { VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { authorize, type PolicyRule } from "../policies.ts";
import * as types from "../schemas/types.ts";
import { isObject, type Schema, validateBody } from "../validation.ts";
import { visibleVolume } from "./show.ts";
import { setBootable } from "./update.ts";

/** One action of `POST /volumes/{id}/action`, by its key in the body. */
type VolumeAction = {
  policy: PolicyRule;
  /** What the key holds. */
  schema: Schema;
  run: (deps: ApiDependencies, volume: VolumeRecord, body: unknown) => Promise<Answer>;
};

const ACTIONS: Readonly<Record<string, VolumeAction>> = {
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
    run: async (_deps, { glance_metadata: metadata }) => ({ status: 200, body: { metadata } }),
  },
};

/** `POST /volumes/{id}/action`: the body has one key, which names the action. */
export async function actOnVolume(deps: ApiDependencies, call: Call): Promise<Answer> {
  const names = isObject(call.body) ? Object.keys(call.body) : [];
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw badRequest("Malformed request body");
  }
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) {
    throw badRequest(
      `There is no such action: ${name.slice(0, 255)}. Verify the request body and Content-Type header and try again.`,
    );
  }
  validateBody({ type: "object", properties: { [name]: action.schema }, required: [name] }, call.body);
  const volume = await visibleVolume(deps, call.caller, call.params["id"] ?? "");
  authorize(call.caller, action.policy);
  return action.run(deps, volume, (call.body as Record<string, unknown>)[name]);
}
