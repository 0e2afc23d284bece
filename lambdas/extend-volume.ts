import { parseOrThrow } from "../core/requests/parsing.ts";
import { extendVolume, ExtendVolumeInputSchema } from "../core/volumes/extend-volume.ts";
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
import { serviceHandler } from "./runtime/service-handler.ts";

/** Called synchronously by clients, or with an extension that a client has begun by `beginExtendVolume`. Returns the volume's record. */
export const handler = serviceHandler((event) => {
  const input = parseOrThrow(ExtendVolumeInputSchema, event, "request");
  const deps = {
    volumes: volumes(),
    snapshots: snapshots(),
    locks: locks(),
    volumeTypes: volumeTypes(),
    backends: backends(),
    projects: projects(),
    drivers: drivers(),
    settings: settings(),
    clock,
    ...bounds(),
  };
  return extendVolume(deps, input);
});
