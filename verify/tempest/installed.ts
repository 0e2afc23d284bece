import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";

/** Programs and files that the tests need, and the package of Debian that has each. */
const NEEDED: Readonly<Record<string, string>> = {
  "/usr/bin/keystone-manage": "keystone",
  "/usr/bin/keystone-wsgi-public": "keystone",
  "/usr/bin/glance-api": "glance-api",
  "/usr/bin/glance-manage": "glance-api",
  "/usr/bin/uwsgi": "uwsgi-core",
  "/usr/lib/uwsgi/plugins/python3_plugin.so": "uwsgi-plugin-python3",
  "/usr/bin/stestr": "python3-stestr",
  "/usr/lib/python3/dist-packages/tempest/test_discover": "tempest",
  "/usr/lib/python3/dist-packages/cinder_tempest_plugin": "cinder-tempest-plugin",
};

/** Packages that this machine lacks for Tempest. */
export function missingPrograms(): Promise<string[]> {
  return missingPackages(NEEDED);
}

/**
 * Packages of which a file is missing.
 *
 * @param needed a package by a file that it installs
 * @param root the root of the file system
 */
export async function missingPackages(needed: Readonly<Record<string, string>>, root = "/"): Promise<string[]> {
  const missing = new Set<string>();
  for (const [file, name] of Object.entries(needed)) {
    await access(join(root, file), constants.R_OK).catch(() => missing.add(name));
  }
  return [...missing];
}
