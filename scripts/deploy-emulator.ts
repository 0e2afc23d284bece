import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HELP = `Deploys the CDK app to an AWS emulator, and uses it: a raw volume, one from an image, a clone, a delete, a second deploy.

Usage: AWS_ENDPOINT_URL=URL npm run deploy:emulator [-- --directory DIR] [-c KEY=VALUE]... [--keep]

The app is the one that goes to AWS, with other settings than deployment.json: no file system is mounted (fileSystem=none), the
backends' volumes are files below DIR inside the emulator's functions, metric-math alarms, saved queries and the dashboard are
omitted (observability=none), executions start without an alias (workflowVersions=false), and the stack is destroyed at the end.

Options:
  --directory DIR         where the emulator's functions keep volumes (default: a temporary directory)
  -c, --context KEY=VALUE another setting, as for cdk; may be repeated
  --keep                  leave the stack and its outputs, dist/emulator/outputs.json
  --help                  this text

Examples:
  AWS_ENDPOINT_URL=http://localhost:4566 npm run deploy:emulator
  AWS_ENDPOINT_URL=http://localhost:4566 npm run deploy:emulator -- --keep -c scheduler='{"scheduler_max_attempts":1}'
`;

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Relative to the working directory, which npm makes the repository's. */
const KEPT_OUTPUTS = path.join("dist", "emulator", "outputs.json");
const REACHABLE_WITHIN_MS = 5000;
const IMAGE_BYTES = 3_000_000;

/** Leaves out features that few emulators have; everything else is deployed as to AWS. */
const SETTINGS = { fileSystem: "none", removalPolicy: "destroy", observability: "none", workflowVersions: false };

/** Default credentials for emulators; variables that the caller has set stay. */
const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_REGION: "us-east-1",
  CDK_DEFAULT_ACCOUNT: "000000000000",
  CDK_DEFAULT_REGION: "us-east-1",
};

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`deploy:emulator: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      directory: { type: "string" },
      context: { type: "string", short: "c", multiple: true, default: [] },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const endpoint = process.env["AWS_ENDPOINT_URL"];
  if (endpoint === undefined || endpoint === "") {
    throw new Error("no emulator is named; set AWS_ENDPOINT_URL. See npm run deploy:emulator -- --help");
  }
  await requireAnswer(endpoint);
  const scratch = mkdtempSync(path.join(tmpdir(), "cinderless-emulator-"));
  try {
    await deployAndUse(scratch, values);
    return 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Any answer counts as an emulator's; the deployment shows whether it is one. */
async function requireAnswer(endpoint: string): Promise<void> {
  if (!URL.canParse(endpoint)) {
    throw new Error(`AWS_ENDPOINT_URL is not a valid URL: ${endpoint}`);
  }
  await fetch(endpoint, { signal: AbortSignal.timeout(REACHABLE_WITHIN_MS) }).catch((error: unknown) => {
    const cause = (error as { cause?: { message?: string } }).cause?.message ?? (error as Error).message;
    throw new Error(`no emulator is reachable at ${endpoint}: ${cause}`);
  });
}

type Options = { directory?: string | undefined; context: string[]; keep: boolean };

async function deployAndUse(scratch: string, { directory, context, keep }: Options): Promise<void> {
  const settings = path.join(scratch, "settings.json");
  const volumes = directory ?? path.join(scratch, "volumes");
  const backends = [{ host: "cinderless@emulator", driver: "file", options: { directory: volumes } }];
  writeFileSync(settings, JSON.stringify({ ...SETTINGS, backends }));
  const flags = [`deployment=${settings}`, ...context].flatMap((pair) => ["-c", pair]);
  const outputs = keep ? path.resolve(KEPT_OUTPUTS) : path.join(scratch, "outputs.json");
  mkdirSync(path.dirname(outputs), { recursive: true });
  const deploy = (...more: string[]): Promise<string> =>
    run("cdk", ["deploy", ...flags, ...more, "--require-approval", "never", "--outputs-file", outputs]);
  try {
    await run("cdk", ["bootstrap", ...flags]);
    await deploy();
    await useVolumes(scratch, outputs);
    // Changes the environment of a function and no definition: an update of a stack in use.
    await deploy("-c", 'scheduler={"scheduler_max_attempts":2}');
    await cinderless(outputs, ["create", "--size", "1", "--name", "after-update", "--wait"]);
  } finally {
    if (keep) {
      process.stdout.write(`kept: the stack, and its outputs in ${KEPT_OUTPUTS}\n`);
    } else {
      await run("cdk", ["destroy", ...flags, "--force"]).catch((error: unknown) => {
        throw new Error(`the stack is still there: ${(error as Error).message}`);
      });
    }
  }
}

/** Creates a raw volume, one from an image, and a clone of it, and deletes them, which the bucket of a destroyed stack needs too. */
async function useVolumes(scratch: string, outputs: string): Promise<void> {
  const image = path.join(scratch, "disk.raw");
  writeFileSync(image, randomBytes(IMAGE_BYTES));
  const imageId = randomUUID();
  const create = async (name: string, ...more: string[]): Promise<string> => {
    const answer = await cinderless(outputs, ["create", "--size", "1", "--name", name, ...more, "--wait", "--json"]);
    const { id, status } = JSON.parse(answer) as { id: string; status: string };
    if (status !== "available") {
      throw new Error(`volume ${name} is ${status}`);
    }
    return id;
  };
  await cinderless(outputs, ["backend", "list", "--wait"]);
  const raw = await create("raw");
  await cinderless(outputs, ["image", "add", image, "--id", imageId]);
  const bootable = await create("bootable", "--image", imageId);
  const clone = await create("clone", "--source-volume", bootable);
  for (const id of [clone, raw]) {
    await cinderless(outputs, ["delete", id]);
  }
  await cinderless(outputs, ["image", "delete", imageId]);
}

function cinderless(outputs: string, arguments_: string[]): Promise<string> {
  return run("cinderless", ["--outputs", outputs, ...arguments_]);
}

/** Runs a command of this repository with its output shown; Ctrl-C reaches it too. Returns what it wrote to its output. */
function run(command: string, arguments_: string[]): Promise<string> {
  process.stdout.write(`$ npx ${[command, ...arguments_].join(" ")}\n`);
  const child = spawn("npx", [command, ...arguments_], {
    cwd: ROOT,
    env: { ...CREDENTIALS, ...process.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) =>
      status === 0
        ? resolve(output)
        : reject(new Error(`${command} ${arguments_.slice(0, 2).join(" ")} ended with status ${status}`)),
    );
  });
}
