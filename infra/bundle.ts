import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions, type Plugin } from "esbuild";
import { FUNCTION_NAMES, fileNameOf } from "../core/settings/functions.ts";
import type { CodeOf } from "./functions.ts";
import { buildUnlessKept } from "./kept-build.ts";
import { TRIM_SDK } from "./trim-sdk.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Directory that caches bundles between starts on this machine. Copies of the repository may share their packages. */
const KEPT_IN = `${ROOT}node_modules/.cache/cinderless/bundles/${encodeURIComponent(ROOT)}`;

/**
 * Inputs that decide the bundles in addition to their source files: the versions of all packages, the settings of the bundler, and these
 * files.
 */
const DECIDES_BUNDLES = [
  "node_modules/.package-lock.json",
  "package.json",
  "tsconfig.json",
  "core/settings/functions.ts",
  "infra/bundle.ts",
  "infra/trim-sdk.ts",
].map((file) => `${ROOT}${file}`);

/** Some modules of the SDK are CommonJS and load Node's own modules by `require`, which an ECMAScript module has to define. */
const REQUIRE_BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/**
 * Bundles every function into `<directory>/<file-name>/index.mjs`: one ECMAScript module each, minified, with its source map. The SDK is
 * bundled too, so the tested version runs, independent of the runtime's version.
 *
 * @param plugins for verification of the functions with other adapters; deployments have none
 */
export async function bundleFunctions(directory: string, plugins: readonly Plugin[] = []): Promise<CodeOf> {
  return codeFrom(directory, bundle(directory, plugins));
}

/** As {@link bundleFunctions}, but reuses the bundles of this machine that have not changed. */
export async function bundleChangedFunctions(directory: string): Promise<CodeOf> {
  const made = buildUnlessKept(directory, {
    keptIn: KEPT_IN,
    build: async () => [...(await bundle(directory, [])), ...DECIDES_BUNDLES],
  });
  return codeFrom(directory, made);
}

/** The bundler is a separate process, so that the CDK, which takes a second to load, loads at the same time. */
async function codeFrom(directory: string, bundling: Promise<unknown>): Promise<CodeOf> {
  const [{ Code }] = await Promise.all([import("aws-cdk-lib/aws-lambda"), bundling]);
  return (name, files) => {
    const code = `${directory}/${fileNameOf(name)}`;
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(path.join(code, file), content);
    }
    return Code.fromAsset(code);
  };
}

/** How the bundler makes a function's code, and how tests bundle the SDK as the functions have it. */
export const BUNDLING = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  mainFields: ["module", "main"],
  alias: {
    "@aws-sdk/credential-provider-node": `${ROOT}lambdas/runtime/credentials.ts`,
    "node:http": `${ROOT}lambdas/runtime/node-http.ts`,
    "@smithy/core/event-streams": `${ROOT}lambdas/runtime/no-event-streams.ts`,
  },
  minify: true,
  sourcemap: true,
  sourcesContent: false,
  legalComments: "none",
  plugins: [TRIM_SDK],
  banner: { js: REQUIRE_BANNER },
  logLevel: "warning",
} satisfies BuildOptions;

/** @returns the files that were read */
async function bundle(directory: string, plugins: readonly Plugin[]): Promise<string[]> {
  const { metafile } = await build({
    ...BUNDLING,
    entryPoints: FUNCTION_NAMES.map((name) => ({
      in: `lambdas/${fileNameOf(name)}.ts`,
      out: `${fileNameOf(name)}/index`,
    })),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    plugins: [...BUNDLING.plugins, ...plugins],
    metafile: true,
  });
  return Object.keys(metafile.inputs).flatMap((input) => fileOf(input));
}

/** The file of an input. An input that is empty on this platform has a note before its path, and some inputs are not files. */
function fileOf(input: string): string[] {
  const file = path.resolve(ROOT, input.replace(/^\(disabled\):/, ""));
  return existsSync(file) ? [file] : [];
}
