import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { Code } from "aws-cdk-lib/aws-lambda";
import { fileNameOf, type FunctionName, FUNCTIONS } from "../core/functions.ts";
import type { CodeOf } from "./functions.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Some of the SDK's parts are CommonJS and ask for Node's own modules by `require`, which a module has to be given. */
const REQUIRE_BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/**
 * Bundles every function into `<directory>/<file-name>/index.mjs`: one ECMAScript module each, minified, with its source map. The
 * SDK is bundled too, so what was tested is what runs, whatever version the runtime carries.
 */
export function bundleFunctions(directory: string): CodeOf {
  const names = Object.keys(FUNCTIONS) as FunctionName[];
  mkdirSync(directory, { recursive: true });
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: names.map((name) => ({ in: `lambdas/${fileNameOf(name)}.ts`, out: `${fileNameOf(name)}/index` })),
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    mainFields: ["module", "main"],
    minify: true,
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    banner: { js: REQUIRE_BANNER },
    logLevel: "warning",
  });
  return (name) => Code.fromAsset(`${directory}/${fileNameOf(name)}`);
}
