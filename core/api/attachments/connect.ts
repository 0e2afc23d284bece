import type { Connection } from "../../volumes/attachments.ts";
import { requireConnectable } from "../../volumes/attachments.ts";
import { requireAnswerWithinBudget } from "../../drivers/driver-answers.ts";
import { describeError } from "../../errors.ts";
import type { ConnectionInfo, VolumeRecord } from "../../records.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { ApiError, asApiError, badRequest } from "../errors.ts";

/** A host's description of itself, in os-brick's form; the file driver does not need it. */
export type Connector = Readonly<Record<string, unknown>>;

/**
 * Asks the volume's driver how a host reaches the volume. Nothing is written.
 *
 * @throws ApiError 400 for a volume that is on no backend, or that its backend offers to no host; 500 when the driver fails
 */
export async function connectionInfo(
  deps: Pick<ApiDependencies, "connections">,
  volume: VolumeRecord,
  connector: Connector,
): Promise<ConnectionInfo> {
  requireConnectable(volume);
  if (volume.host === null) {
    throw badRequest(`Invalid volume: volume ${volume.id} is not assigned to a host`);
  }
  try {
    const info = await deps.connections.initializeConnection(volume.host, volume, connector);
    requireAnswerWithinBudget("connection", info);
    return info;
  } catch (error) {
    throw asApiError(error) ?? failedConnection(error);
  }
}

function failedConnection(error: unknown): ApiError {
  return new ApiError(
    500,
    `Unable to fetch connection information from backend: ${describeError(error).name}. Its reason is in the log of CallDriver.`,
  );
}

const LONGEST_TEXT = 255;

/**
 * The connection of an attachment. A connector names host, device and mode; the mode of the request comes first.
 *
 * @throws ApiError 400 for a part of the connector that cannot be kept; see {@link connectionInfo}
 */
export async function connectionOf(
  deps: Pick<ApiDependencies, "connections">,
  volume: VolumeRecord,
  connector: Connector,
  askedMode: string | null,
): Promise<Connection> {
  const mode = askedMode ?? textOf(connector, "mode") ?? "rw";
  if (mode !== "rw" && mode !== "ro") {
    throw badRequest(`Invalid input for field/attribute mode. Value: ${mode}. '${mode}' is not one of ['rw', 'ro']`);
  }
  const host = textOf(connector, "host");
  const mountpoint = textOf(connector, "mountpoint");
  const info = await connectionInfo(deps, volume, connector);
  return { host, mountpoint, mode, info: { ...info, data: { ...info.data, access_mode: mode } } };
}

function textOf(connector: Connector, name: string): string | null {
  const value = Object.hasOwn(connector, name) ? (connector[name] ?? null) : null;
  if (value !== null && (typeof value !== "string" || value.length > LONGEST_TEXT)) {
    throw badRequest(
      `Invalid input for field/attribute ${name}. It must be a string of at most ${LONGEST_TEXT} characters.`,
    );
  }
  return value;
}
