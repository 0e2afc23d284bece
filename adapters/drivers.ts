import { type Backend, backendHost, MODULE_DRIVER, type UnusableBackend } from "../core/backends.ts";
import { describeError, DriverNotInitialized, InvalidInput } from "../core/errors.ts";
import type { Driver, Drivers } from "../core/driver-ports.ts";
import { type DriverOptions, readDriverOptions } from "./driver-options.ts";
import { FaultDriver } from "./fault/driver.ts";
import { FileDriver } from "./file/driver.ts";
import { MODULE_DRIVERS } from "./module-drivers.ts";

/**
 * The drivers of the configured backends. Nothing is asked of a backend yet. One whose options are wrong is a backend without a
 * driver: asking for it fails with the reason, and the others work.
 */
export function createDrivers(backends: readonly Backend[], unusable: readonly UnusableBackend[] = []): Drivers {
  return driversOf(backends, unusable, ({ host, driver, options }) =>
    createDriver(host, readDriverOptions(host, driver, options)),
  );
}

/** The same with another way to make a driver; what `make` throws is the reason why its backend has none. */
export function driversOf(
  backends: readonly Backend[],
  unusable: readonly UnusableBackend[],
  make: (backend: Backend) => Driver,
): Drivers {
  const drivers = new Map<string, Driver>();
  const reasons = new Map(unusable.map(({ host, reason }) => [host, reason]));
  for (const backend of backends) {
    try {
      drivers.set(backend.host, make(backend));
    } catch (error) {
      reasons.set(backend.host, describeError(error).message);
    }
  }
  return {
    hosts: [...new Set([...backends, ...unusable].map(({ host }) => host))],
    forHost(host) {
      const driver = drivers.get(backendHost(host));
      if (driver === undefined) {
        throw new DriverNotInitialized(host, reasons.get(backendHost(host)) ?? "no such backend is configured");
      }
      return driver;
    },
  };
}

function createDriver(host: string, read: DriverOptions): Driver {
  if (read.driver === "file") {
    return new FileDriver(host, read.options);
  }
  if (read.driver === MODULE_DRIVER) {
    const make = MODULE_DRIVERS[host];
    if (make === undefined) {
      throw new InvalidInput(`backend ${host}: no module was bundled for it; its entry needs module: "./my-driver.js"`);
    }
    return make(host, read.options);
  }
  return new FaultDriver(createDriver(host, read.wrapped), read.options);
}
