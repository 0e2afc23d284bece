import type { Node } from "constructs";
import { type Backend, parseBackends } from "../core/backends.ts";
import { InvalidInput } from "../core/errors.ts";
import { type SchedulerSettings, schedulerSettings } from "../core/scheduling/settings.ts";

/** What a deployment may choose, checked when the app is synthesised. */
export type Configuration = {
  backends: readonly Backend[];
  scheduler: SchedulerSettings;
};

/**
 * Two backends in one zone, as directories below a mount point: enough for a second attempt to go elsewhere. A deployment names its
 * own by context.
 */
const DEFAULT_BACKENDS = ["first", "second"].map((name) => ({
  host: `cinderless@${name}`,
  driver: "file",
  options: { directory: `/mnt/volumes/${name}` },
  capabilities: { volume_backend_name: name },
}));

/** Lambda allows 4 KiB of environment in all; what is left covers the names of the tables, queues and topic. */
const BACKENDS_BYTES_LIMIT = 3072;

/**
 * Reads the configuration from CDK context: `backends` (an array as `core/backends.ts` describes it) and `scheduler` (settings by
 * Cinder's option names). On the command line both are JSON: `cdk synth -c backends='[...]'`.
 *
 * @throws InvalidInput that names what is wrong.
 */
export function readConfiguration(node: Node): Configuration {
  const backends = parseBackends(contextJson(node, "backends") ?? DEFAULT_BACKENDS);
  const bytes = Buffer.byteLength(JSON.stringify(backends));
  if (bytes > BACKENDS_BYTES_LIMIT) {
    throw new InvalidInput(
      `backends: ${bytes} bytes of JSON do not fit a function's environment (${BACKENDS_BYTES_LIMIT})`,
    );
  }
  const scheduler = schedulerSettings(contextJson(node, "scheduler") ?? {});
  return { backends, scheduler };
}

function contextJson(node: Node, key: string): unknown {
  const value: unknown = node.tryGetContext(key);
  if (typeof value !== "string") {
    return value;
  }
  try {
    return JSON.parse(value);
  } catch {
    throw new InvalidInput(`context ${key} is no JSON`);
  }
}
