import { KEYSTONE_ADMIN } from "../glance/openstack.ts";

/** Tempest's configuration of the tested service. */
export type Configuration = { keystoneUrl: string; images: readonly [string, string] };

/** The text of `tempest.conf`. Everything about volumes is what the product says of itself: the backends of the embedded cloud. */
export function tempestConfiguration(directory: string, { keystoneUrl, images }: Configuration): string {
  const [image, otherImage] = images;
  return [
    "[DEFAULT]",
    `log_file = ${directory}/tempest.log`,
    "[oslo_concurrency]",
    `lock_path = ${directory}/locks`,
    "[auth]",
    "use_dynamic_credentials = true",
    "create_isolated_networks = false",
    "tempest_roles = member",
    `admin_username = ${KEYSTONE_ADMIN.user}`,
    `admin_password = ${KEYSTONE_ADMIN.password}`,
    `admin_project_name = ${KEYSTONE_ADMIN.project}`,
    "admin_domain_name = Default",
    "[identity]",
    `uri_v3 = ${keystoneUrl}`,
    "auth_version = v3",
    "region = RegionOne",
    "[service_available]",
    "cinder = true",
    "glance = true",
    "nova = false",
    "neutron = false",
    "swift = false",
    "horizon = false",
    "[compute]",
    `image_ref = ${image}`,
    `image_ref_alt = ${otherImage}`,
    "[image]",
    "disk_formats = qcow2,raw",
    "[volume]",
    "catalog_type = volumev3",
    "build_timeout = 60",
    "build_interval = 1",
    "storage_protocol = file",
    "vendor_name = Cinderless",
    "disk_format = raw",
    "min_microversion = 3.0",
    "max_microversion = latest",
    "backend_names = first,second",
    "[volume-feature-enabled]",
    "multi_backend = true",
    "backup = false",
    "manage_volume = false",
    "manage_snapshot = false",
    "extend_attached_volume = false",
    "consistency_group = false",
    "volume_revert = true",
    "",
  ].join("\n");
}

/** The text of stestr's own configuration: Debian's Tempest with its plugins; tests of one class share their users. */
export const STESTR_CONFIGURATION = [
  "[DEFAULT]",
  "test_path = /usr/lib/python3/dist-packages/tempest/test_discover",
  "top_dir = /usr/lib/python3/dist-packages",
  String.raw`group_regex = ([^\.]*\.)*`,
  "",
].join("\n");
