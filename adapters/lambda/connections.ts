import * as v from "valibot";
import type { ConnectionInfo, VolumeRecord } from "../../core/records.ts";
import type { Connections } from "../../core/drivers/driver-ports.ts";
import { parseOrThrow } from "../../core/requests/parsing.ts";
import type { CallDriver } from "./remote-driver.ts";

/** A driver's connection document. */
const ConnectionInfoSchema = v.object({
  driver_volume_type: v.string(),
  data: v.record(v.string(), v.unknown()),
  mount_point_base: v.optional(v.string()),
});

/** Connections from the drivers of another function, which knows the backends and reads their options. */
export class RemoteConnections implements Connections {
  readonly #call: CallDriver;

  constructor(call: CallDriver) {
    this.#call = call;
  }

  async initializeConnection(
    host: string,
    volume: VolumeRecord,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo> {
    const answer = await this.#call({ call: "initializeConnection", host, volume, connector });
    return parseOrThrow(ConnectionInfoSchema, answer, `connection to volume ${volume.id}`) as ConnectionInfo;
  }
}
