import type { ApiDependencies } from "../dependencies.ts";
import type { Microversion } from "../microversions.ts";
import type { Route } from "../router.ts";
import { optionalUuid, uuid } from "../schemas/types.ts";
import type { Schema } from "../validation.ts";
import {
  actOnAttachment,
  CREATE_MODE,
  createVolumeAttachment,
  deleteAttachment,
  showAttachment,
  updateAttachment,
} from "./attachments.ts";
import { listAttachments } from "./list.ts";

/** First microversion of attachments, and of their completion. */
const ATTACHMENTS = 27;
const COMPLETE = 44;

const inAttachment = (attachment: Schema): Schema => ({
  type: "object",
  properties: { attachment },
  required: ["attachment"],
  additionalProperties: false,
});

const createSchema = (version: Microversion): Schema =>
  inAttachment({
    type: "object",
    properties: {
      instance_uuid: optionalUuid,
      connector: { type: ["object", "null"] },
      volume_uuid: uuid,
      ...(version >= CREATE_MODE && { mode: { type: "string", enum: ["rw", "ro"] } }),
    },
    required: ["volume_uuid"],
    additionalProperties: false,
  });

const updateSchema = (): Schema =>
  inAttachment({
    type: "object",
    properties: { connector: { type: "object", minProperties: 1 } },
    required: ["connector"],
    additionalProperties: false,
  });

/** Routes below `/attachments` (cinder/api/v3/attachments.py). */
export function attachmentRoutes(deps: ApiDependencies): Route[] {
  const one = "/attachments/{id}";
  const since = ATTACHMENTS;
  return [
    {
      method: "GET",
      takesBody: false,
      since,
      path: "/attachments",
      policy: "volume:get_all",
      handler: (call) => listAttachments(deps, call, false),
    },
    {
      method: "GET",
      takesBody: false,
      since,
      path: "/attachments/detail",
      policy: "volume:get_all",
      handler: (call) => listAttachments(deps, call, true),
    },
    {
      method: "POST",
      takesBody: true,
      since,
      path: "/attachments",
      schema: createSchema,
      policy: "volume:attachment_create",
      handler: (call) => createVolumeAttachment(deps, call),
    },
    {
      method: "GET",
      takesBody: false,
      since,
      path: one,
      policy: "volume:get",
      handler: (call) => showAttachment(deps, call),
    },
    {
      method: "PUT",
      takesBody: true,
      since,
      path: one,
      schema: updateSchema,
      policy: "volume:attachment_update",
      handler: (call) => updateAttachment(deps, call),
    },
    {
      method: "DELETE",
      takesBody: false,
      since,
      path: one,
      policy: "volume:attachment_delete",
      handler: (call) => deleteAttachment(deps, call),
    },
    {
      method: "POST",
      takesBody: true,
      since: COMPLETE,
      path: `${one}/action`,
      handler: (call) => actOnAttachment(deps, call),
    },
  ];
}
