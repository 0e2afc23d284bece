import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { benchCinder, missedTargets, timesAsFast } from "../../bench/cinder/cinder.ts";
import { startCinderlessProcess } from "../../bench/cinder/cinderless-process.ts";
import { BlockStorageClient } from "../../bench/cinder/client.ts";
import { type Figures, Measurement, measureInTurns } from "../../bench/cinder/measure.ts";
import { missingForCinder } from "../../verify/cinder/installed.ts";
import { runChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** `npm run bench -- cinder` without Cinder: its client and its measurements, against Cinderless and against servers that fail. */

const SMALL = { rounds: 2, warmUp: 2, alone: 1, together: 4, inFlight: 2, reads: 1 };
const VOLUMES = SMALL.warmUp + SMALL.rounds * (SMALL.alone + SMALL.together);
const PROJECT = "0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a";

const hasCinder = (await missingForCinder()).length === 0;

const NONE: Figures = {
  create_to_available_p50_ms: 0,
  create_to_available_p95_ms: 0,
  creates_per_second: 0,
  processor_ms_per_create: 0,
  list_detail_ms: 0,
  list_ms: 0,
  show_ms: 0,
};

/**
 * A Block Storage API whose volumes have these statuses, one after the other at each look, and whose pages are empty. It refuses the request
 * whose turn it is to be "refused".
 */
async function startServer(...statuses: string[]) {
  const server = createServer((request, response) => {
    const page = request.method === "GET" && /\/volumes(\/detail)?\?/.test(request.url ?? "");
    const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? "";
    request.resume().on("end", () => {
      response
        .writeHead(status === "refused" ? 413 : 202)
        .end(JSON.stringify(page ? { volumes: [] } : { volume: { id: "v", status }, pools: [1, 2] }));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    client: new BlockStorageClient({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`,
      projectId: PROJECT,
    }),
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("the client and the measurements of the comparison with Cinder", () => {
  it("creates as many volumes as are asked for, waits for each, and reads all of them", async () => {
    using temporary = temporaryDirectory();
    const { url, processId, stop } = await startCinderlessProcess(path.join(temporary.path, "it"));
    try {
      const client = new BlockStorageClient({ url, projectId: PROJECT });
      const measurement = new Measurement(client, [processId]);
      await measureInTurns([measurement], SMALL);
      const figures = Object.entries(measurement.figures());
      expect(figures.map(([name]) => name)).toEqual(Object.keys(NONE));
      expect(figures.filter(([, value]) => !(value > 0))).toEqual([]);
      const { volumes } = JSON.parse(await client.ask("GET", "/volumes/detail")) as { volumes: { status: string }[] };
      expect(volumes.map(({ status }) => status)).toEqual(Array.from({ length: VOLUMES }, () => "available"));
    } finally {
      await stop();
    }
  });

  it("fails when a volume ends in error", async () => {
    using server = await startServer("creating", "creating", "error");
    await expect(server.client.createAvailable()).rejects.toThrow(/^volume v is error after \d+ ms$/);
  });

  it("fails when a page lacks a volume", async () => {
    using server = await startServer("available");
    const measurement = new Measurement(server.client, []);
    await expect(measureInTurns([measurement], { ...SMALL, rounds: 1, warmUp: 1, together: 1 })).rejects.toThrow(
      "a page has 0 volumes, not 3; 3 are missing",
    );
  });

  it("fails when the server refuses a create, with the status of its answer", async () => {
    using server = await startServer("refused");
    await expect(server.client.createAvailable()).rejects.toThrow(/^POST \/volumes is answered by 413: /);
  });
});

describe("the targets of the comparison with Cinder", () => {
  const cinder = { ...NONE, create_to_available_p50_ms: 400, creates_per_second: 5, list_detail_ms: 900, list_ms: 300 };

  it("are met by half of Cinder's time and twice its rate", () => {
    const own = { ...NONE, create_to_available_p50_ms: 200, creates_per_second: 10, list_detail_ms: 450, list_ms: 150 };
    expect(missedTargets(cinder, own)).toEqual([]);
    expect(timesAsFast(cinder, own)).toMatchObject({
      create_to_available_p50_ms: 2,
      creates_per_second: 2,
      list_ms: 2,
    });
  });

  it("name each figure that misses them", () => {
    const own = { ...NONE, create_to_available_p50_ms: 50, creates_per_second: 9, list_detail_ms: 600, list_ms: 150 };
    expect(missedTargets(cinder, own)).toEqual([
      "creates_per_second is 1.80 times as fast as Cinder's, not 2 times",
      "list_detail_ms is 1.50 times as fast as Cinder's, not 2 times",
    ]);
  });
});

describe("a machine without Cinder's packages", () => {
  it("skips the comparison, and says which packages are missing and how to install them", async () => {
    using root = temporaryDirectory();
    const packages =
      "cinder-api, cinder-scheduler, cinder-volume, cinder-common, qemu-utils, rabbitmq-server, mariadb-server, python3-pymysql";
    expect(await benchCinder(1000, root.path)).toEqual({
      skipped: `this machine lacks ${packages}; this installs them: apt-get install --no-install-recommends ${packages.replaceAll(",", "")}`,
    });
  });

  it.skipIf(hasCinder)("ends with status 77", async () => {
    const { status, stderr } = await runChild("bench/main.ts", ["cinder"]);
    expect(stderr).toContain("bench: cinder is skipped: this machine lacks ");
    expect(status).toBe(77);
  });
});

it("refuses a number of volumes that one page does not hold", async () => {
  const { status, stderr } = await runChild("bench/main.ts", ["cinder", "--volumes", "1001"]);
  expect(stderr).toBe("bench: cinder takes 242 to 1000 volumes, not 1001. See npm run bench -- --help\n");
  expect(status).toBe(2);
});
