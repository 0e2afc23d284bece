import { parseOrThrow } from "../core/requests/parsing.ts";
import { type ExtendVolumeDependencies, extendVolume, ExtendVolumeInputSchema } from "../core/volumes/extend-volume.ts";
import {
  backends,
  bounds,
  clock,
  drivers,
  locks,
  projects,
  settings,
  snapshots,
  volumes,
  volumeTypes,
} from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { serviceHandler } from "./runtime/service-handler.ts";

export const ports = {
  backends: backends("claim", "claimOf", "get", "release", "settle"),
  locks: locks("of", "put", "remove"),
  projects: projects("giveBack"),
  snapshots: snapshots("forgetLock", "getMany"),
  volumeTypes: volumeTypes("get"),
  volumes: volumes("beginExtend", "endExtend", "forgetLock", "get", "getMany", "keepExtensionClaim"),
} satisfies PortsOf<ExtendVolumeDependencies>;

/** Called synchronously by clients, or with an extension that a client has begun by `beginExtendVolume`. Returns the volume's record. */
export const handler = serviceHandler((event) => {
  const input = parseOrThrow(ExtendVolumeInputSchema, event, "request");
  const deps = {
    ...made(ports),
    drivers: drivers(),
    settings: settings(),
    clock,
    ...bounds(),
  };
  return extendVolume(deps, input);
});
