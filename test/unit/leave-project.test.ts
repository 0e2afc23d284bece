import { expect, it } from "vitest";
import { holderOfQuota, usageOfVolume } from "../../core/projects.ts";
import { membershipOf } from "../../core/volumes/leave-project.ts";
import { aSource, aWorld } from "../support/builders.ts";

it("gives back as much quota as the create took, after the volume was extended", async () => {
  const volume = aSource({ size: 100, use_quota: true, quota_size: 2 });
  const { fakes } = aWorld(volume);
  const other = { holder: holderOfQuota("volume", "other"), usage: usageOfVolume({ size: 7, volume_type_id: null }) };
  const own = { holder: holderOfQuota("volume", volume.id), usage: usageOfVolume({ ...volume, size: 2 }) };
  for (const each of [other, own]) {
    await fakes.projects.reserve({ ...each, projectId: volume.project_id, limits: {} });
    await fakes.projects.confirm(volume.project_id, each.holder);
  }
  await membershipOf({ ...fakes, clock: { now: () => new Date(0) } }).end(
    volume,
    async () => void fakes.volumes.records.delete(volume.id),
  );
  expect((await fakes.projects.quota(volume.project_id)).used).toMatchObject({ volumes: 1, gigabytes: 7 });
});
