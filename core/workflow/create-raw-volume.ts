import type { Creation } from "../spec.ts";
import { type CreateDependencies, createOnBackend, type Turn } from "../attempt/create-on-backend.ts";
import type { OwnerInput } from "./input.ts";

/** CreateVolumeFromSpecTask._create_raw_volume. See {@link createOnBackend} for repeats, crashes and errors. */
export function createRawVolume(deps: CreateDependencies, input: OwnerInput, turn: Turn): Promise<Creation> {
  return createOnBackend(deps, input, turn, { next: "finish", phase: "created" }, (driver, volume, work) =>
    driver.createVolume(volume, work),
  );
}
