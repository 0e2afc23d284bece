import { InvalidInput } from "../errors.ts";
import type { VolumeRepository } from "../ports.ts";
import type { Creation, VolumeSpec } from "../spec.ts";
import { type CreateDependencies, createOnBackend, type Turn } from "../attempt/create-on-backend.ts";
import { readSourceVolume } from "../attempt/sources.ts";
import type { OwnerInput } from "./input.ts";

/**
 * CreateVolumeFromSpecTask._create_from_source_volume.
 *
 * @throws VolumeNotFound when the source has disappeared; otherwise as {@link createOnBackend}.
 */
export async function createClonedVolume(
  deps: CreateDependencies & { volumes: Pick<VolumeRepository, "get"> },
  input: OwnerInput & { volume_spec: VolumeSpec },
  turn: Turn,
): Promise<Creation> {
  const { source_volid: sourceVolumeId } = input.volume_spec;
  if (sourceVolumeId === undefined) {
    throw new InvalidInput("volume_spec has no source_volid");
  }
  const source = await readSourceVolume(deps.volumes, input.context, sourceVolumeId);
  const next = source.bootable ? "bootable" : "finish";
  return createOnBackend(deps, input, turn, { next, phase: "created" }, (driver, volume, work) =>
    driver.createClonedVolume(volume, source, work),
  );
}
