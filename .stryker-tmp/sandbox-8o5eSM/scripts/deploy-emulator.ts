// @ts-nocheck
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HELP = `Deploys the CDK app to an AWS emulator, and creates a volume there.

Usage: AWS_ENDPOINT_URL=URL npm run deploy:emulator [-- --directory DIR] [--keep]

The app is the one that goes to AWS; what differs is context: no file system is mounted (fileSystem=none), the backends' volumes are
files below DIR inside the emulator's functions, and the stack may be destroyed.

Options:
  --directory DIR  where the emulator's functions keep volumes (default /tmp/volumes)
  --keep           leave the stack there
  --help           this text

Examples:
  AWS_ENDPOINT_URL=http://localhost:4566 npm run deploy:emulator
  AWS_ENDPOINT_URL=http://localhost:4566 npm run deploy:emulator -- --keep
`;

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const REACHABLE_WITHIN_MS = 5000;

/** What emulators take for an account; whatever the caller has set stays. */
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
      directory: { type: "string", default: "/tmp/volumes" },
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
  return deploy(values.directory, values.keep);
}

/** Any answer is an emulator's; what it is will show. */
async function requireAnswer(endpoint: string): Promise<void> {
  if (!URL.canParse(endpoint)) {
    throw new Error(`AWS_ENDPOINT_URL is no URL: ${endpoint}`);
  }
  await fetch(endpoint, { signal: AbortSignal.timeout(REACHABLE_WITHIN_MS) }).catch((error: unknown) => {
    const cause = (error as { cause?: { message?: string } }).cause?.message ?? (error as Error).message;
    throw new Error(`no emulator is reachable at ${endpoint}: ${cause}`);
  });
}

async function deploy(directory: string, keep: boolean): Promise<number> {
  const scratch = mkdtempSync(path.join(tmpdir(), "cinderless-emulator-"));
  const outputs = path.join(scratch, "outputs.json");
  const context = [
    "-c fileSystem=none",
    "-c removalPolicy=destroy",
    `-c backends=${JSON.stringify([{ host: "cinderless@emulator", driver: "file", options: { directory } }])}`,
  ].flatMap((option) => [option.slice(0, 2), option.slice(3)]);
  try {
    await run("npx", ["cdk", "bootstrap", ...context]);
    await run("npx", ["cdk", "deploy", ...context, "--require-approval", "never", "--outputs-file", outputs]);
    await run("npx", ["cinderless", "create", "--size", "1", "--name", "emulated", "--wait", "--outputs", outputs]);
    return 0;
  } finally {
    if (!keep) {
      await run("npx", ["cdk", "destroy", ...context, "--force"]).catch((error: unknown) =>
        process.stderr.write(`deploy:emulator: the stack is still there: ${(error as Error).message}\n`),
      );
    }
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Runs a command with its output shown; Ctrl-C reaches it too. */
function run(command: string, arguments_: string[]): Promise<void> {
  process.stdout.write(`$ ${[command, ...arguments_].join(" ")}\n`);
  const child = spawn(command, arguments_, {
    cwd: ROOT,
    env: { ...CREDENTIALS, ...process.env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (status) =>
      status === 0
        ? resolve()
        : reject(new Error(`${command} ${arguments_.slice(0, 2).join(" ")} ended with ${status}`)),
    );
  });
}
