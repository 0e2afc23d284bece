import { execFile } from "node:child_process";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startCinderless } from "../../local/cinderless.ts";
import { explain } from "../../local/screen.ts";
import { PROJECT_ID, startKeystone, variablesFor } from "./keystone.ts";
import { CINDER_SESSION, openstackSession, type Step } from "./sessions.ts";

const HELP = `Usage: npm run test:clients

Runs scripted sessions of OpenStack's own clients against the Block Storage API of the embedded cloud: openstack and
cinder of Debian, openstack and openstacksdk of PyPI in a virtual environment that is thrown away, and gophercloud.
A client that is not on this machine, or cannot be installed, is named and passed over. Exits with 77 when that holds
for all of them, and with 1 when a session fails.
`;

/** Exit status that says that nothing could be run here. */
const SKIPPED = 77;

const HERE = fileURLToPath(new URL(".", import.meta.url));
const INSTALL_MS = 150_000;
const COMMAND_MS = 240_000;

type Ran = { status: number; output: string };

function run(command: string, args: readonly string[], environment: Record<string, string>, cwd = HERE): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...environment }, timeout: COMMAND_MS, maxBuffer: 2 ** 24 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ status, output: stdout + stderr });
    });
  });
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** The directory, the address and the variables of a session. */
type Place = { directory: string; apiUrl: string; environment: Record<string, string> };

/** Returns why it cannot be run here, or undefined when all went well. @throws Error that says what went wrong */
type Session = (place: Place) => Promise<string | undefined>;

async function runSteps(client: string, steps: readonly Step[], place: Place): Promise<void> {
  for (const { run: line, prints, fails = false, settles = [] } of steps) {
    const { status, output } = await run(client, line.split(" "), place.environment);
    if ((status !== 0) !== fails || (prints !== undefined && !prints.test(output))) {
      throw new Error(`${path.basename(client)} ${line}: exit status ${status}\n${output.slice(-2_000)}`);
    }
    for (const name of settles) {
      await settled(place, name);
    }
  }
}

/** Waits by the API itself: a client takes a second to start. */
async function settled({ apiUrl, environment }: Place, name: string): Promise<void> {
  const kind = name.endsWith("snapshot") ? "snapshots" : "volumes";
  for (;;) {
    const response = await fetch(`${apiUrl}/${PROJECT_ID}/${kind}/detail?name=${name}`, {
      headers: { "X-Auth-Token": environment["CINDERLESS_TOKEN"] ?? "" },
    });
    const body = (await response.json()) as Record<string, { status: string }[]>;
    const statuses = (body[kind] ?? []).map(({ status }) => status);
    if (!statuses.some((status) => status === "creating" || status === "deleting")) {
      return;
    }
    await delay(50);
  }
}

const debian =
  (client: string, word: string, steps: readonly Step[]): Session =>
  async (place) => {
    if (!(await isThere(client))) {
      return `${client} is not installed: apt-get install python3-${word}client`;
    }
    await runSteps(client, steps, place);
    return undefined;
  };

const pypi: Session = async (place) => {
  const python = "/usr/bin/python3";
  if (!(await isThere(python))) {
    return `there is no ${python}`;
  }
  const venv = path.join(place.directory, "venv");
  const made = await run(python, ["-m", "venv", venv], {});
  if (made.status !== 0) {
    return `python3 -m venv: ${lastLine(made.output)}`;
  }
  const pip = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "python-openstackclient",
    "openstacksdk",
  ];
  const installed = await Promise.race([
    run(`${venv}/bin/python`, pip, {}),
    delay(INSTALL_MS, undefined, { ref: false }),
  ]);
  if (installed?.status !== 0) {
    return `pip install: ${installed === undefined ? "it took too long" : lastLine(installed.output)}`;
  }
  const script = await run(`${venv}/bin/python`, [path.join(HERE, "session.py")], place.environment);
  if (script.status !== 0) {
    throw new Error(`session.py:\n${script.output.slice(-2_000)}`);
  }
  await runSteps(`${venv}/bin/openstack`, openstackSession("pypi"), place);
  return undefined;
};

const go: Session = async (place) => {
  const compiler = (await isThere("/usr/local/go/bin/go")) ? "/usr/local/go/bin/go" : "/usr/bin/go";
  if (!(await isThere(compiler))) {
    return "there is no go: apt-get install golang-go, or https://go.dev/dl";
  }
  const binary = path.join(place.directory, "session");
  const built = await run(compiler, ["build", "-o", binary, "."], { GOFLAGS: "-mod=readonly" }, path.join(HERE, "go"));
  if (built.status !== 0) {
    return `go build: ${lastLine(built.output)}`;
  }
  // gophercloud has one domain for user and project.
  const { status, output } = await run(binary, [], { ...place.environment, OS_DOMAIN_NAME: "Default" });
  if (status !== 0) {
    throw new Error(`gophercloud:\n${output.slice(-2_000)}`);
  }
  return undefined;
};

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "";
}

const SESSIONS: readonly (readonly [string, Session])[] = [
  ["openstack, Debian", debian("/usr/bin/openstack", "openstack", openstackSession("debian"))],
  ["cinder, Debian", debian("/usr/bin/cinder", "cinder", CINDER_SESSION)],
  ["openstack and openstacksdk, PyPI", pypi],
  ["gophercloud", go],
];

/** Runs the sessions side by side: most of their time they start. Returns the exit status. */
async function main(): Promise<number> {
  const directory = await mkdtemp(path.join(tmpdir(), "cinderless-clients-"));
  const keystone = await startKeystone();
  const local = await startCinderless({
    directory: path.join(directory, "cloud"),
    context: { blockStorageApi: { auth: "keystone", auth_url: keystone.url } },
  });
  try {
    const apiUrl = local.cloud.outputs["BlockStorageApiUrl"] ?? "";
    keystone.offer(apiUrl);
    const environment = { ...variablesFor(keystone.url), CINDERLESS_TOKEN: keystone.token, HOME: directory };
    await prepare(apiUrl, keystone.token);
    const outcomes = await Promise.all(
      SESSIONS.map(([name, session]) => outcomeOf(name, () => session({ directory, apiUrl, environment }))),
    );
    if (outcomes.includes("failed")) {
      return 1;
    }
    return outcomes.every((outcome) => outcome === "skipped") ? SKIPPED : 0;
  } finally {
    await local.stop();
    await keystone.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Room for all sessions at once, and backends that have reported. */
async function prepare(apiUrl: string, token: string): Promise<void> {
  const ask = (method: string, target: string, body?: unknown) =>
    fetch(`${apiUrl}/${PROJECT_ID}${target}`, {
      method,
      headers: { "X-Auth-Token": token, "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const quota = { quota_class_set: { volumes: 100, snapshots: 100 } };
  await ask("PUT", "/os-quota-class-sets/default", quota);
  for (;;) {
    const { pools } = (await (await ask("GET", "/scheduler-stats/get_pools")).json()) as { pools: unknown[] };
    if (pools.length === 2) {
      return;
    }
    await delay(50);
  }
}

async function outcomeOf(
  name: string,
  session: () => Promise<string | undefined>,
): Promise<"passed" | "skipped" | "failed"> {
  const startedAt = performance.now();
  const seconds = (): string => `${Math.round((performance.now() - startedAt) / 1000)} s`;
  try {
    const reason = await session();
    process.stdout.write(
      reason === undefined ? `ok       ${name} (${seconds()})\n` : `skipped  ${name}: ${reason} (${seconds()})\n`,
    );
    return reason === undefined ? "passed" : "skipped";
  } catch (error) {
    process.stdout.write(`FAILED   ${name} (${seconds()}): ${explain(error)}\n`);
    return "failed";
  }
}

const argv = process.argv.slice(2);
if (argv.includes("--help") || argv.includes("-h")) {
  process.stdout.write(HELP);
} else if (argv.length > 0) {
  process.stderr.write(`error: unknown argument ${argv[0]}; see --help\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await main();
}
