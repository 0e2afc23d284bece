import type { ApiDependencies } from "../dependencies.ts";
import type { Route } from "../router.ts";
import * as quotas from "./quota-sets.ts";

/** Limits and quotas. */
export function quotaRoutes(deps: ApiDependencies): Route[] {
  const set = "/os-quota-sets/{project}";
  const byClass = "/os-quota-class-sets/{class}";
  const get = { method: "GET", takesBody: false } as const;
  const put = { method: "PUT", takesBody: true } as const;
  const remove = { method: "DELETE", takesBody: false } as const;
  return [
    {
      ...get,
      path: "/limits",
      policy: "limits_extension:used_limits",
      handler: (call) => quotas.showLimits(deps, call),
    },
    {
      ...get,
      path: set,
      policy: "volume_extension:quotas:show",
      handler: (call) => quotas.showQuotaSet(deps, call),
    },
    {
      ...get,
      path: `${set}/defaults`,
      policy: "volume_extension:quotas:show",
      handler: (call) => quotas.showDefaultQuotas(deps, call),
    },
    {
      ...put,
      path: set,
      policy: "volume_extension:quotas:update",
      handler: (call) => quotas.updateQuotaSet(deps, call),
    },
    {
      ...remove,
      path: set,
      policy: "volume_extension:quotas:delete",
      handler: (call) => quotas.deleteQuotaSet(deps, call),
    },
    {
      ...get,
      path: byClass,
      policy: "volume_extension:quota_classes:get",
      handler: (call) => quotas.showQuotaClass(deps, call),
    },
    {
      ...put,
      path: byClass,
      policy: "volume_extension:quota_classes:update",
      handler: (call) => quotas.updateQuotaClass(deps, call),
    },
  ];
}
