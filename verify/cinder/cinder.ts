import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { answers, freePort, type Running, startServer, whenReady } from "../glance/server-process.ts";
import { BACKENDS, cinderConfiguration, exportOf, PROGRAMS, sharesFileOf } from "./configuration.ts";
import { startMariaDb, startRabbitMq } from "./services.ts";

const run = promisify(execFile);

/**
 * Starts a real Cinder below the directory: MariaDB, RabbitMQ, cinder-api, cinder-scheduler and a cinder-volume of two backends. `url` ends
 * in `/v3`; the caller waits for the backends' first reports.
 *
 * @param keepRunning receives how to stop each server, as soon as it runs
 */
export async function startCinder(
  directory: string,
  keepRunning: (stop: () => Promise<void>) => unknown,
): Promise<{ url: string; processIds: number[] }> {
  const processIds: number[] = [];
  const started = async (server: Promise<Running>): Promise<string> => {
    const { url, processId, stop } = await server;
    keepRunning(stop);
    processIds.push(processId);
    return url;
  };
  const databaseUrl = await started(startMariaDb(join(directory, "mariadb"), "cinder"));
  const messagingUrl = await started(startRabbitMq(join(directory, "rabbitmq")));
  const apiPort = await freePort();
  const programs = await prepare(directory);
  const configuration = join(directory, "cinder.conf");
  await writeFile(configuration, cinderConfiguration({ directory, apiPort, databaseUrl, messagingUrl }));
  await run("/usr/bin/cinder-manage", ["--config-file", configuration, "db", "sync"]);
  const url = `http://127.0.0.1:${apiPort}`;
  const service = (name: string, prefix: readonly string[], isReady: () => Promise<boolean>): Promise<string> => {
    const log = join(directory, `${name}.log`);
    const options = ["--config-file", configuration, "--log-file", log];
    const [program = "", ...argv] = [...prefix, "/usr/bin/python3", `/usr/bin/${name}`, ...options];
    const environment = { PATH: `${programs}:${process.env["PATH"] ?? ""}` };
    return started(whenReady(startServer(program, argv, log, environment), url, log, isReady));
  };
  const running = async (): Promise<boolean> => true;
  await service("cinder-scheduler", [], running);
  // Its bind mounts end with it.
  const root = userInfo().uid === 0 ? [] : ["--map-root-user"];
  await service("cinder-volume", ["/usr/bin/unshare", "--mount", ...root, "--"], running);
  await service("cinder-api", [], () => answers(`${url}/healthcheck`));
  return { url: `${url}/v3`, processIds };
}

/** Folders, shares and programs; returns the folder of the programs. */
async function prepare(directory: string): Promise<string> {
  const programs = join(directory, "programs");
  for (const folder of [programs, ...["state", "locks"].map((name) => join(directory, name))]) {
    await mkdir(folder, { recursive: true });
  }
  for (const [name, script] of Object.entries(PROGRAMS)) {
    await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  for (const backend of BACKENDS) {
    const folder = exportOf(directory, backend);
    await mkdir(folder, { recursive: true });
    await writeFile(sharesFileOf(directory, backend), `127.0.0.1:${folder}\n`);
  }
  return programs;
}
