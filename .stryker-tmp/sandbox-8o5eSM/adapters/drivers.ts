// @ts-nocheck
import { type Backend, backendHost } from "../core/backends.ts";
import { DriverNotInitialized } from "../core/errors.ts";
import type { Driver, Drivers } from "../core/driver-ports.ts";
import { FaultDriver } from "./fault/driver.ts";
import { parseFaultDriverOptions } from "./fault/options.ts";
import { FileDriver } from "./file/driver.ts";
import { parseFileDriverOptions } from "./file/options.ts";

/**
 * The drivers of the configured backends.
 *
 * @throws InvalidInput when a backend's options are wrong. Nothing is asked of a backend yet.
 */
export function createDrivers(backends: readonly Backend[]): Drivers {
  const drivers = new Map(
    backends.map((backend) => [backend.host, createDriver(backend.host, backend.driver, backend.options)]),
  );
  return {
    hosts: [...drivers.keys()],
    forHost(host) {
      const driver = drivers.get(backendHost(host));
      if (driver === undefined) {
        throw new DriverNotInitialized(host);
      }
      return driver;
    },
  };
}

function createDriver(host: string, driver: Backend["driver"], options: Backend["options"]): Driver {
  if (driver === "file") {
    return new FileDriver(host, parseFileDriverOptions(host, options));
  }
  const faults = parseFaultDriverOptions(host, options);
  return new FaultDriver(createDriver(host, faults.driver, faults.options), faults);
}
