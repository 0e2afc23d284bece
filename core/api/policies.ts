import type { Caller } from "./http.ts";
import { forbidden } from "./errors.ts";

/**
 * Permissions of the roles, by the names of Cinder's rules (cinder/policies). The roles are those of Cinder's new defaults: a reader reads,
 * a member writes, an administrator administers. Zed itself still lets a reader create, which is one of the named differences.
 */

/** Role that a rule asks for; each includes the ones before it. */
export type Role = "reader" | "member" | "admin";

/** Rules of Cinder by name. A rule that is not here does not compile. */
export const POLICIES = {
  "volume:get": "reader",
  "volume:get_all": "reader",
  "volume:create": "member",
  "volume:delete": "member",
  "volume:force_delete": "admin",
  "volume:update": "member",
  "volume:get_volume_metadata": "reader",
  "volume:create_volume_metadata": "member",
  "volume:update_volume_metadata": "member",
  "volume:delete_volume_metadata": "member",
  "volume_extension:volume_actions:set_bootable": "member",
  "volume_extension:volume_image_metadata:show": "reader",
  "volume_extension:volume_image_metadata:set": "member",
  "volume_extension:volume_image_metadata:remove": "member",
  "volume:update_readonly_flag": "member",
  "volume:extend": "member",
  "volume:retype": "member",
  "volume_extension:volume_actions:reserve": "member",
  "volume_extension:volume_actions:unreserve": "member",
  "volume_extension:volume_actions:begin_detaching": "member",
  "volume_extension:volume_actions:roll_detaching": "member",
  "volume_extension:volume_actions:attach": "member",
  "volume_extension:volume_actions:detach": "member",
  "volume_extension:volume_actions:initialize_connection": "member",
  "volume_extension:volume_actions:terminate_connection": "member",
  "volume_extension:volume_admin_actions:force_detach": "admin",
  "message:get_all": "reader",
  "message:get": "reader",
  "message:delete": "member",
  "volume:attachment_create": "member",
  "volume:attachment_update": "member",
  "volume:attachment_delete": "member",
  "volume:attachment_complete": "member",
  "volume_extension:volume_admin_actions:force_delete": "admin",
  "volume_extension:volume_admin_actions:reset_status": "admin",
  "volume_extension:snapshot_admin_actions:reset_status": "admin",
  "volume_extension:snapshot_admin_actions:force_delete": "admin",
  "snapshot_extension:snapshot_actions:update_snapshot_status": "member",
  "volume_extension:volume_type_access:get_all_for_type": "admin",
  "volume_extension:volume_type_access:addProjectAccess": "admin",
  "volume_extension:volume_type_access:removeProjectAccess": "admin",
  "volume_extension:volume_type_encryption:get": "admin",
  "volume_extension:volume_type_encryption:create": "admin",
  "volume_extension:volume_type_encryption:update": "admin",
  "volume_extension:volume_type_encryption:delete": "admin",
  "volume_extension:type_get_all": "reader",
  "volume_extension:type_get": "reader",
  "volume_extension:type_create": "admin",
  "volume_extension:type_update": "admin",
  "volume_extension:type_delete": "admin",
  "volume_extension:types_extra_specs:index": "reader",
  "volume_extension:types_extra_specs:show": "reader",
  "volume_extension:types_extra_specs:create": "admin",
  "volume_extension:types_extra_specs:update": "admin",
  "volume_extension:types_extra_specs:delete": "admin",
  "volume:get_all_snapshots": "reader",
  "volume:get_snapshot": "reader",
  "volume:create_snapshot": "member",
  "volume:update_snapshot": "member",
  "volume:delete_snapshot": "member",
  "volume:get_snapshot_metadata": "reader",
  "volume:update_snapshot_metadata": "member",
  "volume:delete_snapshot_metadata": "member",
  "limits_extension:used_limits": "reader",
  "volume_extension:quotas:show": "reader",
  "volume_extension:quotas:update": "admin",
  "volume_extension:quotas:delete": "admin",
  "volume_extension:quota_classes:get": "admin",
  "volume_extension:quota_classes:update": "admin",
  "volume_extension:services:index": "admin",
  "volume_extension:services:update": "admin",
  "volume_extension:hosts": "admin",
  "scheduler_extension:scheduler_stats:get_pools": "admin",
  "volume_extension:capabilities": "admin",
  "volume:availability_zone_list": "reader",
} as const satisfies Readonly<Record<string, Role>>;

/** Name of a rule. */
export type PolicyRule = keyof typeof POLICIES;

/** Whether the rule allows the caller's action. The handlers check access to objects of other projects. */
function isAllowed({ isAdmin, roles }: Caller, rule: PolicyRule): boolean {
  const role: Role = POLICIES[rule];
  if (isAdmin) {
    return true;
  }
  return role === "reader"
    ? roles.includes("reader") || roles.includes("member")
    : role === "member" && roles.includes("member");
}

/** @throws ApiError 403 that names the rule */
export function authorize(caller: Caller, rule: PolicyRule): void {
  if (!isAllowed(caller, rule)) {
    throw forbidden(rule);
  }
}
