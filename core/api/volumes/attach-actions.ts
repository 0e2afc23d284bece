import {
  attach,
  beginDetaching,
  changeAttachments,
  type Decide,
  detach,
  reserve,
  rollDetaching,
  unreserve,
} from "../../volumes/attachments.ts";
import { attachmentPosition } from "../../projects.ts";
import type { VolumeRecord } from "../../records.ts";
import { type Connector, connectionInfo } from "../attachments/connect.ts";
import { leaveAttachments } from "../attachments/find.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { badRequest } from "../errors.ts";
import type { Answer } from "../http.ts";
import { optionalUuid, uuid } from "../schemas/types.ts";
import type { Schema } from "../validation.ts";

/** The actions by which Nova, before attachments had a resource of their own, used volumes (cinder/api/contrib/volume_actions.py). */

type Run = (deps: ApiDependencies, volume: VolumeRecord, body: unknown) => Promise<Answer>;

const ACCEPTED: Answer = { status: 202 };

const changing =
  (decide: Decide): Run =>
  async (deps, volume) => {
    await changeAttachments(deps.volumes, volume, decide);
    return ACCEPTED;
  };

const attachVolume: Run = async (deps, volume, body) => {
  const {
    instance_uuid: instanceUuid = null,
    host_name: hostName = null,
    mountpoint,
    mode = "rw",
  } = body as { instance_uuid?: string; host_name?: string; mountpoint: string; mode?: string };
  const attachmentId = deps.newId();
  const request = { attachmentId, instanceUuid, hostName, mountpoint, mode, at: deps.clock.now() };
  await deps.projects.enter({
    ...attachmentPosition(attachmentId, request.at.toISOString()),
    name: volume.id,
  });
  await changeAttachments(deps.volumes, volume, attach(request));
  return ACCEPTED;
};

const detachVolume: Run = async (deps, volume, body) => {
  const { attachment_id: attachmentId } = (body ?? {}) as { attachment_id?: string | null };
  const changed = await changeAttachments(deps.volumes, volume, detach(attachmentId || null));
  await leaveAttachments(deps, volume, changed);
  return ACCEPTED;
};

const initializeConnection: Run = async (deps, volume, body) => {
  const { connector } = body as { connector: Connector | string };
  if (typeof connector === "string") {
    throw badRequest(
      `Invalid input for field/attribute connector. Value: ${connector.slice(0, 255)}. It must be an object.`,
    );
  }
  return { status: 200, body: { connection_info: await connectionInfo(deps, volume, connector) } };
};

const detachBody: Schema = {
  type: ["object", "null"],
  properties: { attachment_id: optionalUuid },
  additionalProperties: false,
};

const connectorBody = (type: Schema["type"]): Schema => ({
  type: "object",
  properties: { connector: type === undefined ? {} : { type } },
  required: ["connector"],
  additionalProperties: false,
});

/** See {@link actOnVolume} of `actions.ts`. */
export const ATTACH_ACTIONS = {
  "os-reserve": { policy: "volume_extension:volume_actions:reserve", schema: {}, run: changing(reserve) },
  "os-unreserve": { policy: "volume_extension:volume_actions:unreserve", schema: {}, run: changing(unreserve) },
  "os-begin_detaching": {
    policy: "volume_extension:volume_actions:begin_detaching",
    schema: {},
    run: changing(beginDetaching),
  },
  "os-roll_detaching": {
    policy: "volume_extension:volume_actions:roll_detaching",
    schema: {},
    run: changing(rollDetaching),
  },
  "os-attach": {
    policy: "volume_extension:volume_actions:attach",
    schema: {
      type: "object",
      properties: {
        instance_uuid: uuid,
        mountpoint: { type: "string", minLength: 1, maxLength: 255 },
        host_name: { type: "string", maxLength: 255 },
        mode: { type: "string", enum: ["rw", "ro"] },
      },
      required: ["mountpoint"],
      anyOf: [{ required: ["instance_uuid"] }, { required: ["host_name"] }],
      additionalProperties: false,
    },
    run: attachVolume,
  },
  "os-detach": { policy: "volume_extension:volume_actions:detach", schema: detachBody, run: detachVolume },
  "os-force_detach": {
    policy: "volume_extension:volume_admin_actions:force_detach",
    schema: {
      type: "object",
      properties: { connector: { type: ["string", "object", "null"] }, attachment_id: { type: ["string", "null"] } },
      additionalProperties: false,
    },
    run: detachVolume,
  },
  "os-initialize_connection": {
    policy: "volume_extension:volume_actions:initialize_connection",
    schema: connectorBody(["object", "string"]),
    run: initializeConnection,
  },
  // Nothing is open on the side of a backend that a host mounts.
  "os-terminate_connection": {
    policy: "volume_extension:volume_actions:terminate_connection",
    schema: connectorBody(["string", "object", "null"]),
    run: async () => ACCEPTED,
  },
} as const;
