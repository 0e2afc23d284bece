import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildCreateRequest } from "../core/requests/create-request.ts";
import { CHROMIUM, openBrowser } from "../test/console/browser.ts";
import { startConsole } from "../test/support/console-command.ts";
import { inFlight, percentile, type Rig, startRig } from "./rig.ts";

/** The waits of an operator: the command line and the console with many volumes, and the price of an open console. */
export type OperatorResult = {
  volumes: number;
  help_ms: number;
  list_ms: number;
  bare_scan_ms: number;
  /** Null without Chromium: from the address to the first row of the list, and the requests until then. */
  first_row_ms: number | null;
  requests: number | null;
  creates_per_second: { console_closed: number; console_open: number };
};

const COMMAND = fileURLToPath(new URL("../cli/cinderless.js", import.meta.url));
const BARE_SCAN = fileURLToPath(new URL("bare-scan.ts", import.meta.url));

/** Each measurement is made so often, and its median counts. Both sides of a comparison take turns. */
const TURNS = 5;
const PAIRS = 3;
const CREATES = 500;
const IN_FLIGHT = 32;

/** Starts a cloud with so many volumes at rest, and measures on it. */
export async function benchOperator(volumes: number): Promise<OperatorResult> {
  const rig = await startRig();
  try {
    await putVolumes(rig, volumes);
    const outputs = path.join(rig.directory, "outputs.json");
    writeFileSync(outputs, JSON.stringify({ Cinderless: rig.cloud.outputs }));
    const command = (...words: string[]) => timeOf([COMMAND, "--outputs", outputs, ...words]);
    const scan = () => timeOf([BARE_SCAN, rig.cloud.outputs["VolumesTableName"] ?? ""]);
    const times: Record<"help" | "list" | "scan", number[]> = { help: [], list: [], scan: [] };
    for (let turn = 0; turn < TURNS; turn += 1) {
      times.help.push(await command("--help"));
      times.list.push(await command("list", "-f", "value", "-c", "ID"));
      times.scan.push(await scan());
    }
    return {
      volumes,
      help_ms: percentile(times.help, 0.5),
      list_ms: percentile(times.list, 0.5),
      bare_scan_ms: percentile(times.scan, 0.5),
      ...(await benchConsole(rig, outputs)),
    };
  } finally {
    await rig.stop();
  }
}

/** Volumes as they are once they were created, as far as a list shows them. */
async function putVolumes(rig: Rig, count: number): Promise<void> {
  await inFlight(Array.from({ length: count }), 16, async () => {
    const ids = { volumeId: randomUUID(), requestId: `req-${randomUUID()}` };
    const { record } = buildCreateRequest({ sizeGib: 1, displayName: "at rest" }, new Date(), ids);
    const atRest = { status: "available", phase: null, deadline: null, host: "node@b#p" } as const;
    await rig.volumes.create({ ...record, ...atRest });
  });
}

/** Milliseconds of a whole process. @throws Error when it fails */
function timeOf(argv: readonly string[]): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "inherit"] });
  return new Promise((resolve, reject) => {
    child.on("close", (status) => {
      if (status === 0) {
        resolve(performance.now() - start);
      } else {
        reject(new Error(`${argv.join(" ")} ended with ${status}`));
      }
    });
  });
}

async function benchConsole(
  rig: Rig,
  outputs: string,
): Promise<Pick<OperatorResult, "first_row_ms" | "requests" | "creates_per_second">> {
  const browser = CHROMIUM === undefined ? undefined : await openBrowser();
  const rates: Record<"closed" | "open", number[]> = { closed: [], open: [] };
  const paints: { ms: number; requests: number }[] = [];
  try {
    await createsPerSecond(rig);
    for (let pair = 0; pair < PAIRS; pair += 1) {
      rates.closed.push(await createsPerSecond(rig));
      const { url, end } = await startConsole({ argv: ["--outputs", outputs] });
      const page = await browser?.newPage();
      if (page !== undefined) {
        let requests = 0;
        page.on("request", () => (requests += 1));
        const start = performance.now();
        await page.goto(url);
        await page.getByRole("row").nth(1).waitFor();
        paints.push({ ms: performance.now() - start, requests });
      }
      rates.open.push(await createsPerSecond(rig));
      await page?.close();
      await end("SIGINT");
    }
  } finally {
    await browser?.close();
  }
  const first = paints[0];
  return {
    first_row_ms:
      first === undefined
        ? null
        : percentile(
            paints.map(({ ms }) => ms),
            0.5,
          ),
    requests: first === undefined ? null : Math.max(...paints.map(({ requests }) => requests)),
    creates_per_second: {
      console_closed: percentile(rates.closed, 0.5),
      console_open: percentile(rates.open, 0.5),
    },
  };
}

async function createsPerSecond(rig: Rig): Promise<number> {
  const messages: Awaited<ReturnType<Rig["putRecord"]>>[] = [];
  await inFlight(Array.from({ length: CREATES }), 8, async () => {
    messages.push(await rig.putRecord({ sizeGib: 1 }));
  });
  const start = performance.now();
  await inFlight(messages, IN_FLIGHT, async (message) => void (await rig.create(message)));
  return CREATES / ((performance.now() - start) / 1000);
}
