// @ts-nocheck
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

const LAMBDAS = fileURLToPath(new URL("../../lambdas", import.meta.url));
const INJECT = fileURLToPath(new URL("./inject", import.meta.url));

/**
 * Bundles the functions over the ports of `inject/` in place of their own: the handlers' imports of the composition root and of the
 * task states' frame lead there. Everything else of them is what is deployed.
 */
export const CONFORMANCE_PORTS: Plugin = {
  name: "conformance-ports",
  setup(bundler) {
    bundler.onResolve({ filter: /^\.\/runtime\/(composition|task-handler)\.ts$/ }, ({ path: imported, importer }) =>
      path.dirname(importer) === LAMBDAS ? { path: path.join(INJECT, path.basename(imported)) } : undefined,
    );
  },
};
