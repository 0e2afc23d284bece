import { rmSync } from "node:fs";
import path from "node:path";
import type { Plugin } from "esbuild";
import {
  type EmbeddedCloud,
  type EmbeddedCloudOptions,
  holdDirectory,
  startEmbeddedCloud,
} from "@cinderless/embedded-cloud";
import { LOCAL_SECRETS } from "../core/settings/environment.ts";
import { STACK_NAME } from "../infra/stack-name.ts";
import { synthesize } from "../infra/synthesize.ts";

/** Options of Cinderless on this machine. */
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
  /** Directory of all data: the cloud's own data, the volumes of the backends, the synthesised template. */
  directory: string;
  /** Whether records, queues and images are kept below the directory, or in memory. Volumes are files in either case. */
  persistent?: boolean;
  /** CDK context that differs from {@link localContext}. */
  context?: Record<string, unknown>;
  /** For verification of the functions with other adapters. */
  bundlerPlugins?: readonly Plugin[];
  /** Aborts the start at the next opportunity; it then rejects with the reason. */
  signal?: AbortSignal;
};

/** Cinderless, deployed on this machine. */
export type LocalCinderless = {
  cloud: EmbeddedCloud;
  backendsDirectory: string;
  /** Stops the cloud, see {@link EmbeddedCloud.stop}, and releases the directory. May be called twice. */
  stop: EmbeddedCloud["stop"];
};

/** Directory of the local backends' volumes. */
export function backendsDirectoryOf(directory: string): string {
  return path.join(directory, "backends");
}

/** Two file backends below the directory: the stack's own defaults, on a machine without a file system to mount. */
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
 * Synthesises the CDK app and deploys its template to the embedded cloud. Only context adapts the template: no file system to mount, and
 * the directories of the backends.
 *
 * @throws EmbeddedCloudError with one line for people: a port or the directory in use, or not writable. It has then changed nothing that
 * another instance uses.
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
  // There is no Secrets Manager here: the environment of the cloud provides the functions' secrets.
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
    // The cloud may have been stopped for longer than any deadline: a continued execution renews its deadline with its first write.
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
