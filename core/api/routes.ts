import type { ApiDependencies } from "./dependencies.ts";
import type { Route } from "./router.ts";
import { createVolumeSchema } from "./schemas/volumes.ts";
import { versionDocument } from "./versions.ts";
import { createVolume } from "./volumes/create.ts";
import { deleteVolume } from "./volumes/delete.ts";
import { listVolumes } from "./volumes/list.ts";
import { showVolume } from "./volumes/show.ts";

/** The whole API as one table. A path of fixed parts comes before one with a part that varies. */
export function apiRoutes(deps: ApiDependencies): Route[] {
  const read = { method: "GET", takesBody: false } as const;
  return [
    {
      ...read,
      path: "/",
      withoutProject: true,
      handler: async ({ endpoint }) => ({ status: 200, body: versionDocument(endpoint) }),
    },
    { ...read, path: "/volumes", policy: "volume:get_all", handler: (call) => listVolumes(deps, call, false) },
    { ...read, path: "/volumes/detail", policy: "volume:get_all", handler: (call) => listVolumes(deps, call, true) },
    {
      method: "POST",
      path: "/volumes",
      takesBody: true,
      schema: createVolumeSchema,
      policy: "volume:create",
      handler: (call) => createVolume(deps, call),
    },
    { ...read, path: "/volumes/{id}", policy: "volume:get", handler: (call) => showVolume(deps, call) },
    {
      method: "DELETE",
      path: "/volumes/{id}",
      takesBody: false,
      policy: "volume:delete",
      handler: (call) => deleteVolume(deps, call),
    },
  ];
}
