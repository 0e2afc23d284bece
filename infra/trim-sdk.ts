import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

const SCHEMAS = /@aws-sdk[\\/]client-[^\\/]+[\\/]dist-es[\\/]schemas[\\/]schemas_0\.js$/;
const PACKAGE = /@aws-sdk[\\/]client-[^\\/]+[\\/]package\.json$/;

/** `export var Name$ = [ ... ];`, which ends with a bracket at the start of a line. */
const SCHEMA = /^(export )?var (\w+\$) = (\[.*\n(?: .*\n)*\]);$/gm;

/** `n0_registry.registerError(Name$, Name);` of the service's own errors; that of its base error has another prefix. */
const ERROR_REGISTRATION = /^n\d+_registry\.registerError\(\w+\$, \w+\);$/gm;

/**
 * Leaves out of the AWS SDK what no function uses but a bundler cannot know to be unused: up to 60 kB of a bundle.
 *
 * - Schemas are array literals with computed keys, which must be kept in case computing a key had an effect. A call that is marked
 *   pure may be dropped.
 * - Error classes are registered one by one. Without its class an error arrives as the service's base error, under the same name
 *   and with the same message, and only names are ever matched here.
 * - Of a client's package.json only the version is read.
 */
export const TRIM_SDK: Plugin = {
  name: "trim-sdk",
  setup(bundler) {
    bundler.onLoad({ filter: SCHEMAS }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source
        .replaceAll(SCHEMA, "$1var $2 = /* @__PURE__ */ (() => $3)();")
        .replaceAll(ERROR_REGISTRATION, "");
      return { contents, loader: "js" };
    });
    bundler.onLoad({ filter: PACKAGE }, async ({ path }) => {
      const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};
