import { registerHooks } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Deployment } from "../../simulation/deployment.ts";

/** The deployment that a repository synthesises. */
export type Synthesis = {
  deployment: Deployment;
  /** Source files that take part, relative to the repository: a change of another file does not change the deployment. */
  files: ReadonlySet<string>;
};

/** Synthesises this repository's stack, and records the modules that it loads for that. */
export async function synthesise(root: string): Promise<Synthesis> {
  const files = new Set<string>();
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      if (url.startsWith("file:")) {
        files.add(relative(root, fileURLToPath(url)));
      }
      return nextLoad(url, context);
    },
  });
  try {
    const { readDeployment } = await import("../../simulation/deployment.ts");
    return { deployment: readDeployment(), files };
  } finally {
    hooks.deregister();
  }
}
