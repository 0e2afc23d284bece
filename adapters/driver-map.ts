import { type Backend, backendHost, type UnusableBackend } from "../core/backends/backends.ts";
import type { Driver, Drivers } from "../core/drivers/driver-ports.ts";
import { describeError, DriverNotInitialized } from "../core/errors.ts";

/**
 * The drivers by host, each created by `make` when it is first asked for. If `make` throws, that backend has no driver: a request for it
 * fails with the thrown reason, and the others work.
 */
export function driversOf(
  backends: readonly Backend[],
  unusable: readonly UnusableBackend[],
  make: (backend: Backend) => Driver,
): Drivers {
  const configured = new Map(backends.map((backend) => [backend.host, backend]));
  const drivers = new Map<string, Driver>();
  const reasons = new Map(unusable.map(({ host, reason }) => [host, reason]));
  const created = (backend: Backend): Driver | undefined => {
    try {
      const driver = make(backend);
      drivers.set(backend.host, driver);
      return driver;
    } catch (error) {
      configured.delete(backend.host);
      reasons.set(backend.host, describeError(error).message);
      return undefined;
    }
  };
  return {
    hosts: [...new Set([...backends, ...unusable].map(({ host }) => host))],
    forHost(host) {
      const name = backendHost(host);
      const backend = configured.get(name);
      const driver = drivers.get(name) ?? (backend === undefined ? undefined : created(backend));
      if (driver === undefined) {
        throw new DriverNotInitialized(host, reasons.get(name) ?? "no such backend is configured");
      }
      return driver;
    },
  };
}
