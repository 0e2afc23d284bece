import type { ApiDependencies } from "../dependencies.ts";
import type { Route } from "../router.ts";
import { metadataSchema, metaSchema, updateVolumeSchema } from "../schemas/details.ts";
import { createVolumeSchema } from "../schemas/volumes.ts";
import { actOnVolume } from "./actions.ts";
import { showCinderless } from "./cinderless.ts";
import { createVolume } from "./create.ts";
import { deleteVolume } from "./delete.ts";
import { listVolumes } from "./list.ts";
import { showVolume } from "./show.ts";
import { summarizeVolumes } from "./summary.ts";
import {
  deleteMetadataKey,
  showMetadata,
  showMetadataKey,
  updateVolume,
  writeMetadata,
  writeMetadataKey,
} from "./update.ts";

const GET = { method: "GET", takesBody: false } as const;
const POST = { method: "POST", takesBody: true } as const;
const PUT = { method: "PUT", takesBody: true } as const;
const DELETE = { method: "DELETE", takesBody: false } as const;

/** First microversion of the summary. */
const SUMMARY = 12;

/** Routes below `/volumes`. */
export function volumeRoutes(deps: ApiDependencies): Route[] {
  const one = "/volumes/{id}";
  const metadata = `${one}/metadata`;
  return [
    { ...GET, path: "/volumes", policy: "volume:get_all", handler: (call) => listVolumes(deps, call, false) },
    { ...GET, path: "/volumes/detail", policy: "volume:get_all", handler: (call) => listVolumes(deps, call, true) },
    {
      ...GET,
      path: "/volumes/summary",
      since: SUMMARY,
      policy: "volume:get_all",
      handler: (call) => summarizeVolumes(deps, call),
    },
    {
      ...POST,
      path: "/volumes",
      schema: createVolumeSchema,
      policy: "volume:create",
      handler: (call) => createVolume(deps, call),
    },
    { ...GET, path: one, policy: "volume:get", handler: (call) => showVolume(deps, call) },
    {
      ...PUT,
      path: one,
      schema: updateVolumeSchema,
      policy: "volume:update",
      handler: (call) => updateVolume(deps, call),
    },
    { ...DELETE, path: one, policy: "volume:delete", handler: (call) => deleteVolume(deps, call) },
    { ...POST, path: `${one}/action`, handler: (call) => actOnVolume(deps, call) },
    { ...GET, path: `${one}/cinderless`, policy: "volume:get", handler: (call) => showCinderless(deps, call) },
    { ...GET, path: metadata, policy: "volume:get_volume_metadata", handler: (call) => showMetadata(deps, call) },
    {
      ...POST,
      path: metadata,
      schema: metadataSchema,
      policy: "volume:create_volume_metadata",
      handler: (call) => writeMetadata(deps, call, false),
    },
    {
      ...PUT,
      path: metadata,
      schema: metadataSchema,
      policy: "volume:update_volume_metadata",
      handler: (call) => writeMetadata(deps, call, true),
    },
    {
      ...GET,
      path: `${metadata}/{key}`,
      policy: "volume:get_volume_metadata",
      handler: (call) => showMetadataKey(deps, call),
    },
    {
      ...PUT,
      path: `${metadata}/{key}`,
      schema: metaSchema,
      policy: "volume:update_volume_metadata",
      handler: (call) => writeMetadataKey(deps, call),
    },
    {
      ...DELETE,
      path: `${metadata}/{key}`,
      policy: "volume:delete_volume_metadata",
      handler: (call) => deleteMetadataKey(deps, call),
    },
  ];
}
