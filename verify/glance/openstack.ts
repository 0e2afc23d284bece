import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { answers, freePort, type Running, startServer, whenReady } from "./server-process.ts";

const run = promisify(execFile);

/** The installed parts of OpenStack, from Debian's packages `glance-api` and `keystone`. */
export type Installed = { glance: boolean; keystone: boolean };

/** Looks for the programs that are started here. */
export async function findInstalled(): Promise<Installed> {
  const has = (file: string): Promise<boolean> =>
    access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
  const [glance, manage, keystone, wsgi, uwsgi] = await Promise.all(
    ["glance-api", "glance-manage", "keystone-manage", "keystone-wsgi-public", "uwsgi"].map((name) =>
      has(`/usr/bin/${name}`),
    ),
  );
  return { glance: glance === true && manage === true, keystone: keystone === true && wsgi === true && uwsgi === true };
}

/** Passwords of a Keystone that lives for minutes, on loopback. */
export const KEYSTONE_ADMIN = { user: "admin", password: "adminpw", project: "admin" };
export const GLANCE_USER = { user: "glance", password: "glancepw", project: "service" };

/** Keystone on SQLite, with Fernet tokens, bootstrapped with {@link KEYSTONE_ADMIN}. */
export async function startKeystone(directory: string): Promise<Running> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await Promise.all(
    ["etc", "fernet", "credential"].map((name) => mkdir(join(directory, name), { recursive: true, mode: 0o700 })),
  );
  const configuration = join(directory, "etc", "keystone.conf");
  await writeFile(configuration, keystoneConfiguration(directory));
  const manage = (...argv: string[]) => run("/usr/bin/keystone-manage", ["--config-file", configuration, ...argv]);
  const me = userInfo().username;
  const owner = ["--keystone-user", me, "--keystone-group", me];
  await manage("db_sync");
  await manage("fernet_setup", ...owner);
  await manage("credential_setup", ...owner);
  const values = {
    username: KEYSTONE_ADMIN.user,
    password: KEYSTONE_ADMIN.password,
    "project-name": KEYSTONE_ADMIN.project,
    "role-name": "admin",
    "service-name": "keystone",
    "region-id": "RegionOne",
    "admin-url": `${url}/v3`,
    "public-url": `${url}/v3`,
    "internal-url": `${url}/v3`,
  };
  await manage("bootstrap", ...Object.entries(values).flatMap(([name, value]) => [`--bootstrap-${name}`, value]));
  // Keystone reads in one transaction while it writes in another, which SQLite allows with a write-ahead log only.
  const pragma = "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA journal_mode=WAL')";
  await run("python3", ["-c", pragma, join(directory, "keystone.sqlite")]);
  const ini = join(directory, "etc", "uwsgi.ini");
  await writeFile(ini, uwsgiConfiguration(directory, port, configuration));
  const log = join(directory, "keystone.log");
  return whenReady(startServer("/usr/bin/uwsgi", ["--ini", ini], log), url, log, () => answers(`${url}/v3`));
}

function keystoneConfiguration(directory: string): string {
  return [
    "[DEFAULT]",
    "use_stderr = true",
    "[database]",
    `connection = sqlite:///${directory}/keystone.sqlite?timeout=60`,
    "[token]",
    "provider = fernet",
    "[fernet_tokens]",
    `key_repository = ${directory}/fernet`,
    "[credential]",
    `key_repository = ${directory}/credential`,
    // The cheapest hash of a password: tests make many users.
    "[identity]",
    "password_hash_rounds = 4",
    "[cache]",
    "enabled = false",
    "",
  ].join("\n");
}

function uwsgiConfiguration(directory: string, port: number, configuration: string): string {
  return [
    "[uwsgi]",
    "plugins = python3",
    `http-socket = 127.0.0.1:${port}`,
    "wsgi-file = /usr/bin/keystone-wsgi-public",
    `pyargv = --config-file ${configuration}`,
    `env = OS_KEYSTONE_CONFIG_DIR=${directory}/etc`,
    "master = true",
    "processes = 1",
    "threads = 1",
    "enable-threads = true",
    "lazy-apps = true",
    "buffer-size = 65535",
    "die-on-term = true",
    "",
  ].join("\n");
}

/**
 * Glance with a file store. Keystone identifies the caller, or, without it, the headers that keystonemiddleware would set. Tokens are not
 * kept, so that a revoked one is refused at once.
 */
export async function startGlance(directory: string, keystone: Running | undefined): Promise<Running> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await Promise.all(
    ["etc", "images", "locks", "staging", "tasks"].map((name) => mkdir(join(directory, name), { recursive: true })),
  );
  const paste = join(directory, "etc", "glance-api-paste.ini");
  const configuration = join(directory, "etc", "glance-api.conf");
  // None but the defaults in the code.
  await writeFile(join(directory, "etc", "policy.yaml"), "");
  await writeFile(paste, pasteConfiguration(directory, keystone !== undefined));
  await writeFile(configuration, glanceConfiguration(directory, port, paste, keystone?.url));
  await run("/usr/bin/glance-manage", ["--config-file", configuration, "db_sync"]);
  const log = join(directory, "glance.log");
  const child = startServer("/usr/bin/glance-api", ["--config-file", configuration], log);
  return whenReady(child, url, log, () => answers(`${url}/healthcheck`));
}

function pasteConfiguration(directory: string, withKeystone: boolean): string {
  return [
    "[pipeline:glance-api]",
    `pipeline = healthcheck versionnegotiation ${withKeystone ? "authtoken " : ""}context rootapp`,
    "[composite:rootapp]",
    "paste.composite_factory = glance.api:root_app_factory",
    "/: apiversions",
    "/v2: apiv2app",
    "[app:apiversions]",
    "paste.app_factory = glance.api.versions:create_resource",
    "[app:apiv2app]",
    "paste.app_factory = glance.api.v2.router:API.factory",
    "[filter:healthcheck]",
    "paste.filter_factory = oslo_middleware:Healthcheck.factory",
    "backends = disable_by_file",
    `disable_by_file_path = ${directory}/healthcheck_disable`,
    "[filter:versionnegotiation]",
    "paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory",
    "[filter:context]",
    "paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory",
    "[filter:authtoken]",
    "paste.filter_factory = keystonemiddleware.auth_token:filter_factory",
    "delay_auth_decision = true",
    "",
  ].join("\n");
}

function glanceConfiguration(directory: string, port: number, paste: string, keystoneUrl: string | undefined): string {
  const store = (name: string, folder: string) => [`[${name}]`, `filesystem_store_datadir = ${directory}/${folder}/`];
  return [
    "[DEFAULT]",
    "enforce_secure_rbac = true",
    "bind_host = 127.0.0.1",
    `bind_port = ${port}`,
    "workers = 0",
    "show_multiple_locations = true",
    "enabled_backends = fast:file",
    "[database]",
    `connection = sqlite:///${directory}/glance.sqlite`,
    "[glance_store]",
    "default_backend = fast",
    ...store("fast", "images"),
    ...store("os_glance_staging_store", "staging"),
    ...store("os_glance_tasks_store", "tasks"),
    "[paste_deploy]",
    "flavor =",
    `config_file = ${paste}`,
    "[oslo_concurrency]",
    `lock_path = ${directory}/locks`,
    "[oslo_policy]",
    "enforce_new_defaults = true",
    `policy_file = ${directory}/etc/policy.yaml`,
    `policy_dirs = ${directory}/etc/policy.d`,
    "[keystone_authtoken]",
    `www_authenticate_uri = ${keystoneUrl ?? "http://127.0.0.1:1"}/v3`,
    `auth_url = ${keystoneUrl ?? "http://127.0.0.1:1"}/v3`,
    "auth_type = password",
    `username = ${GLANCE_USER.user}`,
    `password = ${GLANCE_USER.password}`,
    `project_name = ${GLANCE_USER.project}`,
    "user_domain_id = default",
    "project_domain_id = default",
    "token_cache_time = -1",
    "",
  ].join("\n");
}
