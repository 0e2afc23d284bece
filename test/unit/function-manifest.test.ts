import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fileNameOf, FUNCTION_NAMES, FUNCTIONS, type FunctionUse } from "../../core/settings/functions.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");

/** The uses that a port of `lambdas/runtime/composition.ts` stands for. One of a function's own suffices. */
const USES_OF_PORT: Readonly<Record<string, readonly FunctionUse[]>> = {
  drivers: ["drivers"],
  givenUpCalls: ["every-backend"],
  remoteDrivers: ["remote-drivers"],
  images: ["images"],
  notifier: ["notifications"],
  bounds: ["deadlines"],
  settings: ["scheduler-settings"],
  queue: ["requests", "dead-letters"],
};

/** Ports that the API's function gets together. */
const PORTS_OF_API = ["remoteDrivers", "queue"];

function portsOf(source: string): string[] {
  const [, names = ""] = /import \{([^}]*)\} from ".\/runtime\/composition.ts"/.exec(source) ?? [];
  return names.split(",").flatMap((name) => (name.trim() === "api" ? PORTS_OF_API : [name.trim()]));
}

it("describes exactly the functions that have a file", () => {
  const files = readdirSync(path.join(ROOT, "lambdas")).filter((file) => file.endsWith(".ts"));
  expect(FUNCTION_NAMES.map((name) => `${fileNameOf(name)}.ts`).toSorted()).toEqual(files.toSorted());
});

describe.each(FUNCTION_NAMES)("the entry of %s", (name) => {
  const ports = portsOf(read(`lambdas/${fileNameOf(name)}.ts`));
  const uses = FUNCTIONS[name].uses;

  it("has every use that its code has", () => {
    const missing = ports.filter((port) => {
      const stoodFor = USES_OF_PORT[port];
      return stoodFor !== undefined && !stoodFor.some((use) => uses.includes(use));
    });
    expect(missing).toEqual([]);
  });

  it("has no use that its code does not have", () => {
    const used = new Set(ports.flatMap((port) => USES_OF_PORT[port] ?? []));
    expect(uses.filter((use) => !used.has(use))).toEqual([]);
  });
});

/** The estimate has the paths of a create through the workflow: an order, not a list of functions with one property. */
const PATHS_OF_A_CREATE = "cli/cost/estimate.ts";

it("is the only list of functions: no other file names three functions in one list", () => {
  const names = new RegExp(`"(?:${FUNCTION_NAMES.join("|")})"`, "g");
  const files = ["adapters", "bench", "cli", "core", "infra", "lambdas", "local", "scripts", "statemachine"].flatMap(
    (folder) =>
      readdirSync(path.join(ROOT, folder), { recursive: true }).map((file) => path.join(folder, String(file))),
  );
  const lists = files
    .filter((file) => file.endsWith(".ts") && file !== PATHS_OF_A_CREATE)
    .flatMap((file) =>
      [...read(file).matchAll(/\[[^[\]]*\]/g)]
        .filter(([list]) => (list.match(names) ?? []).length >= 3)
        .map(([list]) => `${file}: ${list}`),
    );
  expect(lists).toEqual([]);
});
