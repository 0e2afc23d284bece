import { join } from "node:path";

/** Backends of Cinder, by name; each is one folder. */
export const BACKENDS = ["first", "second"] as const;

/** Addresses that the configuration names. */
export type Places = { directory: string; apiPort: number; databaseUrl: string; messagingUrl: string };

/** The text of `cinder.conf`: two backends of the NFS driver, no authentication, everything else as Cinder has it by default. */
export function cinderConfiguration({ directory, apiPort, databaseUrl, messagingUrl }: Places): string {
  return [
    "[DEFAULT]",
    "use_stderr = false",
    `state_path = ${directory}/state`,
    "api_paste_config = /etc/cinder/api-paste.ini",
    "resource_query_filters_file = /etc/cinder/resource_filters.json",
    "rootwrap_config = /etc/cinder/rootwrap.conf",
    `transport_url = ${messagingUrl}`,
    "auth_strategy = noauth",
    "osapi_volume_listen = 127.0.0.1",
    `osapi_volume_listen_port = ${apiPort}`,
    `enabled_backends = ${BACKENDS.join(",")}`,
    "default_volume_type = __DEFAULT__",
    "host = cinder",
    "my_ip = 127.0.0.1",
    "[database]",
    `connection = ${databaseUrl}`,
    "[oslo_concurrency]",
    `lock_path = ${directory}/locks`,
    "[oslo_messaging_notifications]",
    "driver = noop",
    ...BACKENDS.flatMap((name) => [
      `[${name}]`,
      "volume_driver = cinder.volume.drivers.nfs.NfsDriver",
      `volume_backend_name = ${name}`,
      `nfs_shares_config = ${sharesFileOf(directory, name)}`,
      `nfs_mount_point_base = ${directory}/state/mnt-${name}`,
      "nfs_snapshot_support = true",
      "nas_secure_file_operations = false",
      "nas_secure_file_permissions = false",
      "max_over_subscription_ratio = 50",
    ]),
    "",
  ].join("\n");
}

/** The file that names the backend's share. */
export function sharesFileOf(directory: string, backend: string): string {
  return join(directory, `shares-${backend}`);
}

/** The folder that is the backend's share. */
export function exportOf(directory: string, backend: string): string {
  return join(directory, "export", backend);
}

/**
 * Programs that come first in the PATH of `cinder-volume`, so that its driver works on a folder, without an NFS server. `sudo` runs what
 * rootwrap would run. `mount` binds the folder, in the mount namespace of the process.
 */
export const PROGRAMS: Readonly<Record<string, string>> = {
  sudo: '[ "$1" = -E ] && shift\ncase "$1" in */cinder-rootwrap|cinder-rootwrap) shift 2;; esac\nexec "$@"',
  mount: [
    'case "$*" in',
    '  *"-t nfs"*) for each; do source=$target; target=$each; done; exec /usr/bin/mount --bind "${source#*:}" "$target";;',
    '  *) exec /usr/bin/mount "$@";;',
    "esac",
  ].join("\n"),
  "mount.nfs": "exit 1",
  dmidecode: "exit 1",
};
