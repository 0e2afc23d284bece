import type { DriverCall } from "./driver-call.ts";
import { InvalidInput } from "../errors.ts";
import type { Driver, Drivers } from "./driver-ports.ts";
import type { VolumeRecord } from "../records.ts";

/**
 * Calls a method of a backend's driver for another function. It adds nothing to the call, so the caller interprets a failure.
 *
 * Repeated: as the driver's method.
 * Late: as the driver's method.
 * Throws: DriverNotInitialized when no backend of that host is configured; the driver's errors, by their names.
 */
export async function callDriver({ drivers }: { drivers: Drivers }, request: DriverCall): Promise<unknown> {
  const driver = drivers.forHost(request.host);
  switch (request.call) {
    case "initialized":
      return driver.initialized();
    case "closeAttempt":
      return driver.closeAttempt(request.volume_id, request.fence);
    case "deleteVolume":
      return driver.deleteVolume(request.volume_id, request.fence);
    case "findVolume":
      return driver.findVolume(request.volume_id, request.fence);
    case "closeSnapshot":
      return driver.closeSnapshot(request.snapshot_id);
    case "deleteSnapshot":
      return driver.deleteSnapshot(request.snapshot_id);
    case "findSnapshot":
      return driver.findSnapshot(request.snapshot_id);
    case "extendVolume":
      // The record as the caller has read it from its table.
      return driver.extendVolume(request.volume as unknown as VolumeRecord, request.new_size);
    case "initializeConnection":
      return connect(driver, request);
    default:
      return request satisfies never;
  }
}

async function connect(
  driver: Driver,
  { host, volume, connector }: Extract<DriverCall, { call: "initializeConnection" }>,
): Promise<unknown> {
  if (driver.initializeConnection === undefined) {
    throw new InvalidInput(`the driver of backend ${host} has no connections for hosts`);
  }
  return driver.initializeConnection(volume as unknown as VolumeRecord, connector);
}
