import { rmSync } from "node:fs";
import path from "node:path";
import type { Plugin } from "esbuild";
import { LOCAL_SECRETS } from "../core/environment.ts";
import { STACK_NAME } from "../infra/stack-name.ts";
import { synthesize } from "../infra/synthesize.ts";
import { holdDirectory } from "./cloud/data-directory.ts";
import { type EmbeddedCloud, type EmbeddedCloudOptions, startEmbeddedCloud } from "./cloud/embedded-cloud.ts";

/** How Cinderless runs on this machine. */
export type LocalOptions = Pick<
  EmbeddedCloudOptions,
  | "ports"
  | "environmentsPerFunction"
  | "functionEnvironment"
  | "sharedThreads"
  | "logSink"
  | "problemSink"
  | "crashSink"
  | "maxHistory"
> & {
  /** Everything lives below it: the cloud's own data, the volumes of the backends, the synthesised template. */
  directory: string;
  /** Whether records, queues and images are kept below the directory, or in memory. Volumes are files in either case. */
  persistent?: boolean;
  /** CDK context that differs from {@link localContext}. */
  context?: Record<string, unknown>;
  /** For who verifies the functions over other adapters than their own. */
  bundlerPlugins?: readonly Plugin[];
  /** Gives the start up at the next opportunity; it rejects with the reason then. */
  signal?: AbortSignal;
};

/** Cinderless, deployed on this machine. */
export type LocalCinderless = {
  cloud: EmbeddedCloud;
  backendsDirectory: string;
  /** Stops the cloud, see {@link EmbeddedCloud.stop}, and gives the directory back. May be called twice. */
  stop: EmbeddedCloud["stop"];
};

/** Where the volumes of the local backends are. */
export function backendsDirectoryOf(directory: string): string {
  return path.join(directory, "backends");
}

/** Two file backends below the directory: the stack's own defaults, where a machine has no file system to mount. */
export function localContext(directory: string): {
  fileSystem: string;
  backends: Record<string, unknown>[];
  blockStorageApi: { auth: "noauth" };
} {
  const backends = ["first", "second"].map((name) => ({
    host: `cinderless@${name}`,
    driver: "file",
    options: { directory: path.join(backendsDirectoryOf(directory), name) },
    capabilities: { volume_backend_name: name },
  }));
  return { fileSystem: "none", backends, blockStorageApi: { auth: "noauth" } };
}

/**
 * Synthesises the CDK app and deploys its template to the embedded cloud. Nothing in the template is made for this but what is
 * context: no file system to mount, and the directories of the backends.
 *
 * @throws EmbeddedCloudError with one line for people: a port or the directory in use, or not writable. Nothing that another
 *   instance uses has been touched then.
 */
export async function startCinderless(options: LocalOptions): Promise<LocalCinderless> {
  const held = holdDirectory(options.directory);
  try {
    const cloud = await deploy({ ...options, directory: held.path });
    return {
      cloud,
      backendsDirectory: backendsDirectoryOf(held.path),
      stop: async (graceMilliseconds) => {
        await cloud.stop(graceMilliseconds).finally(() => held.release());
      },
    };
  } catch (error) {
    held.release();
    throw error;
  }
}

async function deploy(options: LocalOptions): Promise<EmbeddedCloud> {
  const { directory, persistent = false, context = {}, bundlerPlugins = [], signal, ...cloudOptions } = options;
  // There is no Secrets Manager here: whoever starts this machine's functions gives them their secrets.
  const secrets = process.env[LOCAL_SECRETS];
  const functionEnvironment = {
    ...(secrets === undefined ? {} : { [LOCAL_SECRETS]: secrets }),
    ...cloudOptions.functionEnvironment,
  };
  const assembly = path.join(directory, "cdk.out");
  rmSync(assembly, { recursive: true, force: true });
  const synthesized = await synthesize(assembly, { ...localContext(directory), ...context }, bundlerPlugins);
  const { template } = synthesized.getStackByName(STACK_NAME);
  signal?.throwIfAborted();
  const cloud = await startEmbeddedCloud({
    sharedThreads: 2,
    environmentsPerFunction: 8,
    ...cloudOptions,
    functionEnvironment,
    // The cloud may have been stopped for longer than any deadline: who continues renews it with its first write.
    isLateAfterResumption: (name) => name.includes("SweepOverdueVolumes"),
    template,
    assetDirectory: assembly,
    stackName: STACK_NAME,
    ...(persistent ? { dataDirectory: path.join(directory, "cloud") } : {}),
  });
  if (signal?.aborted === true) {
    await cloud.stop();
  }
  signal?.throwIfAborted();
  return cloud;
}
