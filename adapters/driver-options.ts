import { type Backend, MODULE_DRIVER } from "../core/backends/backends.ts";
import { describeError, InvalidInput } from "../core/errors.ts";
import { unknownName } from "../core/text/suggestion.ts";
import { type FaultDriverOptions, parseFaultDriverOptions } from "./fault/options.ts";
import { type FileDriverOptions, parseFileDriverOptions } from "./file/options.ts";

/**
 * The drivers by name, with the options of each. This file loads no driver, so synthesis can check the options.
 */

/** The options of one backend, read by its driver. */
export type DriverOptions =
  | { driver: "file"; options: FileDriverOptions }
  | { driver: "fault"; options: FaultDriverOptions; wrapped: DriverOptions }
  | { driver: typeof MODULE_DRIVER; options: Record<string, unknown> };

/**
 * Each driver checks its own options. @throws InvalidInput that names the backend and the option, and for an unknown option the known ones
 */
const DRIVERS: Readonly<Record<DriverOptions["driver"], (host: string, options: unknown) => DriverOptions>> = {
  file: (host, options) => ({ driver: "file", options: parseFileDriverOptions(host, options) }),
  fault: (host, given) => {
    const options = parseFaultDriverOptions(host, given);
    return { driver: "fault", options, wrapped: readDriverOptions(host, options.driver, options.options) };
  },
  // The module checks its own options when it creates the driver.
  [MODULE_DRIVER]: (_host, options) => ({ driver: MODULE_DRIVER, options: options as Record<string, unknown> }),
};

/**
 * Reads the options of one backend.
 *
 * @throws InvalidInput that names the backend, and each wrong option or the missing driver
 */
export function readDriverOptions(host: string, driver: string, options: unknown): DriverOptions {
  const names = Object.keys(DRIVERS);
  if (!names.includes(driver)) {
    throw new InvalidInput(`backend ${host}: ${unknownName("driver", driver, names)}`);
  }
  return DRIVERS[driver as DriverOptions["driver"]](host, options);
}

/**
 * Checks the options of every backend before anything is deployed.
 *
 * @throws InvalidInput with the problems of each backend
 */
export function checkDriverOptions(backends: readonly Backend[]): void {
  const problems = backends.flatMap(({ host, driver, options }) => {
    try {
      readDriverOptions(host, driver, options);
      return [];
    } catch (error) {
      return [describeError(error).message.replace(/^Invalid input received: /, "")];
    }
  });
  if (problems.length > 0) {
    throw new InvalidInput(problems.join("; "));
  }
}
