import { type Backend, MODULE_DRIVER, type UnusableBackend } from "../core/backends/backends.ts";
import type { Driver, Drivers } from "../core/drivers/driver-ports.ts";
import { driversOf } from "./driver-map.ts";
import { type DriverOptions, readDriverOptions } from "./driver-options.ts";
import { FaultDriver } from "./fault/driver.ts";
import { FileDriver } from "./file/driver.ts";
import { makeModuleDriver } from "./module-driver.ts";

/**
 * The drivers of the configured backends. No backend is asked yet. A backend with wrong options has no driver: a request for it fails with
 * the reason, and the others work.
 */
export function createDrivers(backends: readonly Backend[], unusable: readonly UnusableBackend[] = []): Drivers {
  return driversOf(backends, unusable, ({ host, driver, options }) =>
    createDriver(host, readDriverOptions(host, driver, options)),
  );
}

function createDriver(host: string, read: DriverOptions): Driver {
  if (read.driver === "file") {
    return new FileDriver(host, read.options);
  }
  if (read.driver === MODULE_DRIVER) {
    return makeModuleDriver(host, read.options);
  }
  return new FaultDriver(createDriver(host, read.wrapped), read.options);
}
