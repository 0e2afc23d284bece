import { missingPackages } from "../tempest/installed.ts";

/** Programs and files that a real Cinder needs, and the package of Debian that has each. */
const NEEDED: Readonly<Record<string, string>> = {
  "/usr/bin/cinder-api": "cinder-api",
  "/usr/bin/cinder-scheduler": "cinder-scheduler",
  "/usr/bin/cinder-volume": "cinder-volume",
  "/usr/bin/cinder-manage": "cinder-common",
  "/usr/bin/qemu-img": "qemu-utils",
  "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server",
  "/usr/sbin/mariadbd": "mariadb-server",
  "/usr/lib/python3/dist-packages/pymysql": "python3-pymysql",
};

/** The command that installs everything. */
export const INSTALL = `apt-get install --no-install-recommends ${[...new Set(Object.values(NEEDED))].join(" ")}`;

/**
 * Packages that this machine lacks for a real Cinder.
 *
 * @param root the root of the file system
 */
export function missingForCinder(root = "/"): Promise<string[]> {
  return missingPackages(NEEDED, root);
}
