import { Stores } from "./stores.ts";
import { START } from "./account.ts";

/** Ports that are not one of the stores' objects, with their methods. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  notifier: ["publish"],
  queue: ["send", "sendToDeadLetters"],
  workflow: ["start"],
  images: ["show", "getLocation"],
};

/** Whether `port.method` is a call of a port; a source may have a variable of a port's name that is not a port. */
export function isPortMethod(call: string): boolean {
  const stores = new Stores({ now: () => new Date(START) });
  const [port = "", method = ""] = call.split(".");
  const objects: Readonly<Record<string, object>> = {
    volumes: stores.volumes,
    backends: stores.backends,
    snapshots: stores.snapshots,
    locks: stores.locks,
    volumeTypes: stores.volumeTypes,
    imageCache: stores.imageCacheEntries,
    deadLetters: stores.deadLetters,
    projects: stores.projects,
    driver: stores.addBackend("any@host#pool", START),
  };
  const target = objects[port];
  return target === undefined
    ? (OTHERS[port]?.includes(method) ?? false)
    : typeof Reflect.get(target, method) === "function";
}
