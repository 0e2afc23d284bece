import { attachmentRoutes } from "./attachments/routes.ts";
import type { ApiDependencies } from "./dependencies.ts";
import { EXTENSIONS, listExtensions, showExtension } from "./extensions.ts";
import { messageRoutes } from "./messages/routes.ts";
import { quotaRoutes } from "./quotas/routes.ts";
import { listResourceFilters } from "./resource-filters.ts";
import type { Route } from "./router.ts";
import { changeService } from "./services/change.ts";
import { listHosts, listPools, listServices, listZones, showCapabilities, showHost } from "./services/services.ts";
import { snapshotRoutes } from "./snapshots/routes.ts";
import { typeRoutes } from "./types/routes.ts";
import { versionDocument } from "./versions.ts";
import { volumeRoutes } from "./volumes/routes.ts";

/** First microversion of the list of filters. */
const RESOURCE_FILTERS = 33;

/** The whole API as one table. A path of fixed parts comes before one with a part that varies. */
export function apiRoutes(deps: ApiDependencies): Route[] {
  return [
    {
      ...GET,
      path: "/",
      withoutProject: true,
      handler: async ({ endpoint }) => ({ status: 200, body: versionDocument(endpoint) }),
    },
    ...volumeRoutes(deps),
    ...attachmentRoutes(deps),
    ...messageRoutes(deps),
    ...snapshotRoutes(deps),
    ...typeRoutes(deps),
    ...quotaRoutes(deps),
    {
      ...GET,
      path: "/os-availability-zone",
      policy: "volume:availability_zone_list",
      handler: () => listZones(deps),
    },
    { ...GET, path: "/extensions", handler: async () => listExtensions(EXTENSIONS) },
    { ...GET, path: "/extensions/{alias}", handler: async (call) => showExtension(EXTENSIONS, call) },
    { ...GET, path: "/resource_filters", since: RESOURCE_FILTERS, handler: async (call) => listResourceFilters(call) },
    {
      ...GET,
      path: "/os-services",
      policy: "volume_extension:services:index",
      handler: (call) => listServices(deps, call),
    },
    {
      method: "PUT",
      takesBody: true,
      path: "/os-services/{verb}",
      policy: "volume_extension:services:update",
      handler: (call) => changeService(deps, call),
    },
    { ...GET, path: "/os-hosts/{host}", policy: "volume_extension:hosts", handler: (call) => showHost(deps, call) },
    { ...GET, path: "/os-hosts", policy: "volume_extension:hosts", handler: (call) => listHosts(deps, call) },
    {
      ...GET,
      path: "/scheduler-stats/get_pools",
      policy: "scheduler_extension:scheduler_stats:get_pools",
      handler: (call) => listPools(deps, call),
    },
    {
      ...GET,
      path: "/capabilities/{host}",
      policy: "volume_extension:capabilities",
      handler: (call) => showCapabilities(deps, call),
    },
  ];
}

const GET = { method: "GET", takesBody: false } as const;
