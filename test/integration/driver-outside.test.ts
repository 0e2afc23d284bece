import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { FileDriver } from "../../adapters/file/driver.ts";
import type { DriverFactory } from "../../adapters/module-drivers.ts";
import { parseBackends } from "../../core/backends/backends.ts";
import { moduleDrivers } from "../../infra/module-drivers.ts";
import { startUnderTest } from "../support/local-cinderless.ts";
import { driverContract } from "../support/driver-contract.ts";
import { temporaryDirectory } from "../support/drivers.ts";

const MODULE = fileURLToPath(new URL("../../docs/examples/my-driver.js", import.meta.url));
const { default: makeDriver } = (await import(MODULE)) as { default: DriverFactory };

driverContract("the example outside the tree", async () =>
  makeDriver("storage@mine", { directory: join(await temporaryDirectory(), "volumes") }),
);
driverContract(
  "the file driver",
  async () => new FileDriver("storage@file", { directory: await temporaryDirectory() }),
);

describe("a backend with a module", () => {
  test("has the module's driver, and needs to name no other", () => {
    expect(parseBackends([{ host: "storage@mine", module: "./my-driver.js" }])).toMatchObject([
      { host: "storage@mine", driver: "module", module: "./my-driver.js" },
    ]);
  });

  test("whose module is missing is refused before anything is bundled", () => {
    expect(() => moduleDrivers([{ host: "storage@mine", module: "./nowhere.js" }])).toThrow(
      /backends: storage@mine: there is no module .*nowhere\.js/,
    );
    expect(moduleDrivers([{ host: "storage@first", driver: "file" }])).toEqual([]);
  });

  test("is scheduled to like any other, with the module in the bundles of the functions", async () => {
    const directory = join(await temporaryDirectory(), "mine");
    const backends = [
      { host: "storage@mine", module: MODULE, options: { directory } },
      // One that reports, and has no room for any volume.
      { host: "storage@other", driver: "file", options: { directory: `${directory}-other` }, reserved_percentage: 100 },
    ];
    const under = await startUnderTest({ context: { backends } });
    try {
      const id = await under.create({ sizeGib: 1 });
      expect(await under.settled(id)).toMatchObject({
        status: "available",
        host: expect.stringMatching(/^storage@mine#/),
        provider_location: join(directory, `volume-${id}`),
      });
    } finally {
      await under.stop();
    }
  });
});
