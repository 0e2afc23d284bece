import { type Backend, backendHost, type UnusableBackend } from "../core/backends.ts";
import type { Driver, Drivers } from "../core/driver-ports.ts";
import { describeError, DriverNotInitialized } from "../core/errors.ts";

/**
 * The drivers by host, each created by `make`. If `make` throws, that backend has no driver: a request for it fails with the thrown reason,
 * and the others work.
 */
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
