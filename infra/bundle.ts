import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { fileNameOf, type FunctionName, FUNCTIONS } from "../core/functions.ts";
import type { CodeOf } from "./functions.ts";
import { TRIM_SDK } from "./trim-sdk.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Some of the SDK's parts are CommonJS and ask for Node's own modules by `require`, which a module has to be given. */
const REQUIRE_BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/**
 * Bundles every function into `<directory>/<file-name>/index.mjs`: one ECMAScript module each, minified, with its source map. The
 * SDK is bundled too, so what was tested is what runs, whatever version the runtime carries.
 *
 * @param plugins for who verifies the functions over other adapters than their own; what is deployed has none
 */
export async function bundleFunctions(directory: string, plugins: readonly Plugin[] = []): Promise<CodeOf> {
  const names = Object.keys(FUNCTIONS) as FunctionName[];
  const building = build({
    absWorkingDir: ROOT,
    entryPoints: names.map((name) => ({ in: `lambdas/${fileNameOf(name)}.ts`, out: `${fileNameOf(name)}/index` })),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    mainFields: ["module", "main"],
    alias: {
      "@aws-sdk/credential-provider-node": `${ROOT}lambdas/runtime/credentials.ts`,
      "@smithy/core/event-streams": `${ROOT}lambdas/runtime/no-event-streams.ts`,
    },
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    plugins: [TRIM_SDK, ...plugins],
    banner: { js: REQUIRE_BANNER },
    logLevel: "warning",
  });
  // The bundler is a process of its own: the CDK, which takes a second to load, is loaded meanwhile.
  const [{ Code }] = await Promise.all([import("aws-cdk-lib/aws-lambda"), building]);
  return (name) => Code.fromAsset(`${directory}/${fileNameOf(name)}`);
}
