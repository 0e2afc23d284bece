import { InvalidInput } from "../core/errors.ts";
import type { Driver } from "../core/drivers/driver-ports.ts";
import { MODULE_DRIVERS } from "./module-drivers.ts";

/**
 * Creates the driver of a module outside the tree. The backend is not asked yet.
 *
 * Throws: InvalidInput when no module was bundled for the backend.
 */
export function makeModuleDriver(host: string, options: Parameters<(typeof MODULE_DRIVERS)[string]>[1]): Driver {
  const make = MODULE_DRIVERS[host];
  if (make === undefined) {
    throw new InvalidInput(`backend ${host}: no module was bundled for it; its entry needs module: "./my-driver.js"`);
  }
  return make(host, options);
}
