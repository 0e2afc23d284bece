import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import * as v from "valibot";
import { InvalidInput } from "../core/errors.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The part that is needed before the backends are checked completely. */
const EntriesSchema = v.array(v.looseObject({ host: v.string(), module: v.optional(v.string()) }));

/**
 * The plugin that bundles the functions with the drivers of the modules that backends name, or none when no backend names one. Paths are
 * relative to the working directory. Other errors of an entry are left to the check of the configuration.
 *
 * @param backends as the context has them: a list, or its JSON
 * @throws InvalidInput that names a missing module
 */
export function moduleDrivers(backends: unknown): Plugin[] {
  const modules = entriesOf(backends).flatMap(({ host, module }) => {
    return module === undefined ? [] : [{ host, file: path.resolve(module) }];
  });
  for (const { host, file } of modules) {
    if (!existsSync(file)) {
      throw new InvalidInput(`backends: ${host}: there is no module ${file}`);
    }
  }
  return modules.length === 0 ? [] : [pluginOf(modules)];
}

function entriesOf(backends: unknown): v.InferOutput<typeof EntriesSchema> {
  try {
    const read = v.safeParse(EntriesSchema, typeof backends === "string" ? JSON.parse(backends) : backends);
    return read.success ? read.output : [];
  } catch {
    return [];
  }
}

function pluginOf(modules: readonly { host: string; file: string }[]): Plugin {
  const imports = modules.map(({ file }, index) => `import driver${index} from ${JSON.stringify(file)};`);
  const entries = modules.map(({ host }, index) => `${JSON.stringify(host)}: driver${index}`);
  const contents = `${imports.join("\n")}\nexport const MODULE_DRIVERS = { ${entries.join(", ")} };\n`;
  return {
    name: "module-drivers",
    setup(bundler) {
      bundler.onLoad({ filter: /[\\/]adapters[\\/]module-drivers\.ts$/ }, () => ({
        contents,
        loader: "ts",
        resolveDir: ROOT,
      }));
    },
  };
}
