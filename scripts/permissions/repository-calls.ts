import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { FUNCTION_NAMES, type FunctionName, fileNameOf } from "../../core/settings/functions.ts";
import type { Repositories } from "./repository-requests.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Names of the repositories in the tasks. */
const RECEIVERS: Readonly<Record<string, keyof Repositories>> = {
  volumes: "volumes",
  snapshots: "snapshots",
  locks: "locks",
  volumeTypes: "volumeTypes",
  backends: "backends",
  deadLetters: "deadLetters",
  entries: "imageCache",
  projects: "projects",
  audits: "audits",
};

/** A call on one of them; a bundler numbers duplicate names, and the frame's names are functions. */
const CALL = new RegExp(`\\b(${Object.keys(RECEIVERS).join("|")})\\d*(?:\\(\\))?\\s*\\??\\.\\s*(\\w+)\\(`, "g");

/** Calls of adapters and packages are not searched. */
const WITHOUT_ADAPTERS: Plugin = {
  name: "without-adapters",
  setup(bundler) {
    bundler.onLoad({ filter: /[\\/]adapters[\\/]/ }, () => ({ contents: "module.exports = {}", loader: "js" }));
  },
};

const WITHOUT_IMAGE_CACHE: Plugin = {
  name: "without-image-cache",
  setup(bundler) {
    bundler.onLoad({ filter: /[\\/]core[\\/]image-cache[\\/](?:evict|fill|sweep|use)-/ }, () => ({
      contents: "module.exports = {}",
      loader: "js",
    }));
  },
};

/** `table.method` of every call of a repository's method, by function. */
export type RepositoryCalls = Record<FunctionName, string[]>;

/**
 * The repository methods that each function can reach: its tree-shaken bundle is searched for calls. A conditional call counts.
 *
 * @param imageCache whether any backend has the image-volume cache; otherwise its tasks never run
 */
export async function repositoryCalls(
  { imageCache }: { imageCache: boolean },
  known: Record<keyof Repositories, Record<string, unknown>>,
): Promise<RepositoryCalls> {
  const names = FUNCTION_NAMES;
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: names.map((name) => ({ in: `lambdas/${fileNameOf(name)}.ts`, out: name })),
    outdir: "out",
    write: false,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    plugins: [WITHOUT_ADAPTERS, ...(imageCache ? [] : [WITHOUT_IMAGE_CACHE])],
    logLevel: "error",
  });
  return Object.fromEntries(
    outputFiles.map(({ path, text }) => {
      const name = /(\w+)\.js$/.exec(path)?.[1] ?? path;
      const calls = [...text.matchAll(CALL)].flatMap(([, receiver = "", method = ""]) => {
        const table = RECEIVERS[receiver];
        return table !== undefined && Object.hasOwn(known[table], method) ? [`${table}.${method}`] : [];
      });
      return [name, [...new Set(calls)].toSorted()];
    }),
  ) as RepositoryCalls;
}
