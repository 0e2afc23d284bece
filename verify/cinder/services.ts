import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, type Running, startServer, whenReady } from "../glance/server-process.ts";

/** MariaDB and RabbitMQ, which Cinder's services need: on loopback, below a directory, for as long as a run takes. */

const run = promisify(execFile);

/** A MariaDB without passwords, with one empty database; `url` is SQLAlchemy's. */
export async function startMariaDb(directory: string, database: string): Promise<Running> {
  await mkdir(directory, { recursive: true });
  const data = join(directory, "data");
  const socket = join(directory, "socket");
  const log = join(directory, "mariadb.log");
  const me = `--user=${userInfo().username}`;
  const install = ["--no-defaults", me, `--datadir=${data}`, "--auth-root-authentication-method=normal"];
  await run("/usr/bin/mariadb-install-db", [...install, "--skip-test-db"]);
  const port = await freePort();
  const argv = [
    "--no-defaults",
    me,
    `--datadir=${data}`,
    `--socket=${socket}`,
    `--pid-file=${join(directory, "pid")}`,
    "--bind-address=127.0.0.1",
    `--port=${port}`,
    "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=300",
  ];
  const url = `mysql+pymysql://root@127.0.0.1:${port}/${database}?charset=utf8`;
  const running = await whenReady(startServer("/usr/sbin/mariadbd", argv, log), url, log, () => listens(port));
  try {
    const create = `create database ${database} character set utf8mb3`;
    await run("/usr/bin/mariadb", ["--no-defaults", "-S", socket, "-u", "root", "-e", create]);
    return running;
  } catch (error) {
    await running.stop();
    throw error;
  }
}

/** A RabbitMQ with its own port mapper; `url` is that of oslo.messaging. */
export async function startRabbitMq(directory: string): Promise<Running> {
  await mkdir(directory, { recursive: true });
  const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()];
  const log = join(directory, "rabbitmq.out");
  const local = { ERL_EPMD_ADDRESS: "127.0.0.1", ERL_EPMD_PORT: String(mapper) };
  const epmd = await whenReady(startServer("/usr/bin/epmd", [], log, local), `port ${mapper}`, log, () =>
    listens(mapper),
  );
  await writeFile(join(directory, "plugins"), "[].\n");
  await writeFile(join(directory, "rabbitmq.conf"), `listeners.tcp.1 = 127.0.0.1:${port}\n`);
  const environment = {
    ...local,
    HOME: directory,
    RABBITMQ_NODENAME: `cinder${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(directory, "mnesia"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "plugins"),
    RABBITMQ_CONF_ENV_FILE: join(directory, "none"),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    // The script then becomes the server, which SIGTERM ends.
    RUNNING_UNDER_SYSTEMD: "true",
  };
  const url = `rabbit://guest:guest@127.0.0.1:${port}/`;
  try {
    const child = startServer("/usr/lib/rabbitmq/bin/rabbitmq-server", [], log, environment);
    const rabbit = await whenReady(child, url, log, () => listens(port));
    return {
      ...rabbit,
      stop: async () => {
        await rabbit.stop();
        await epmd.stop();
      },
    };
  } catch (error) {
    await epmd.stop();
    throw error;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });
}
