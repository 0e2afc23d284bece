import type { Driver } from "../core/driver-ports.ts";

/** The default export of a module that is a driver: makes the driver of a backend. What it throws is why the backend has none. */
export type DriverFactory = (host: string, options: Record<string, unknown>) => Driver;

/**
 * Drivers outside this tree by their hosts. There are none here: the bundler puts the modules of a deployment in the place of this file
 * (`infra/module-drivers.ts`).
 */
export const MODULE_DRIVERS: Readonly<Record<string, DriverFactory>> = {};
