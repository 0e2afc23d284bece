import { type Backend, MODULE_DRIVER, type UnusableBackend } from "../../core/backends/backends.ts";
import type { Drivers } from "../../core/drivers/driver-ports.ts";
import { type DriverOptions, readDriverOptions } from "../driver-options.ts";
import { driversOf } from "../driver-map.ts";
import { makeModuleDriver } from "../module-driver.ts";
import { type CallDriver, RemoteDriver } from "./remote-driver.ts";

/** Drivers of the configured backends, called through another function. No backend is asked yet. */
export function createRemoteDrivers(
  backends: readonly Backend[],
  unusable: readonly UnusableBackend[],
  call: CallDriver,
): Drivers {
  return driversOf(
    backends,
    unusable,
    ({ host, driver, options }) =>
      new RemoteDriver(host, fencesAttempts(host, readDriverOptions(host, driver, options)), call),
  );
}

/** The driver's own value of `fencesAttempts`. A driver of this project is not loaded for it; a test compares both. */
function fencesAttempts(host: string, read: DriverOptions): boolean {
  if (read.driver === "file") {
    return true;
  }
  return read.driver === MODULE_DRIVER
    ? makeModuleDriver(host, read.options).fencesAttempts
    : fencesAttempts(host, read.wrapped);
}
