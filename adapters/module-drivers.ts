import type { Driver } from "../core/drivers/driver-ports.ts";

/**
 * The default export of a module that is a driver: creates the driver of a backend. If it throws, the backend has no driver, for that
 * reason.
 */
export type DriverFactory = (host: string, options: Record<string, unknown>) => Driver;

/**
 * Drivers outside this tree by their hosts. There are none here: the bundler puts the modules of a deployment in the place of this file
 * (`infra/module-drivers.ts`).
 */
export const MODULE_DRIVERS: Readonly<Record<string, DriverFactory>> = {};
