import { randomBytes, randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { putImage } from "../../adapters/s3/put-image.ts";
import { benchCalls } from "../../bench/calls.ts";
import { estimate } from "../../cli/cost/estimate.ts";
import { addWork, INDEX_UNITS_OF_A_RAW_CREATE, SOURCE_REQUESTS } from "../../cli/cost/work.ts";
import type { Rig } from "../../bench/rig.ts";

it("the receipt of a raw create has the calls that are counted on the way", async () => {
  const counted = await benchCalls(5);
  const { steps } = estimate({ volumes: 1, imageGib: 0, copyMibPerSecond: 100 });
  const work = addWork(steps.map((step) => step.work));
  expect(work.state_transition).toBe(counted.state_transitions);
  expect(work.dynamodb_write_unit - INDEX_UNITS_OF_A_RAW_CREATE).toBe(counted.write_units);
  expect(work.sns_publish).toBe(counted.by_call["sns Publish"]);
});

/** A small image in the bucket. */
async function anImage({ s3, cloud }: Rig): Promise<{ imageId: string }> {
  const id = randomUUID();
  const formats = { disk_format: "raw", container_format: "bare", min_disk: 0, min_ram: 0 };
  const bytes = async function* () {
    yield randomBytes(2 ** 20);
  };
  const image = { id, name: "disk", ...formats, owner: "o", visibility: "public" as const, properties: {} };
  await putImage(s3, cloud.outputs["ImagesBucketName"] ?? "", image, bytes());
  return { imageId: id };
}

it("the receipt of a create of an image has the transitions and the reads of the bucket that are counted", async () => {
  const counted = await benchCalls(2, anImage);
  const { steps } = estimate({ volumes: 1, imageGib: 1, copyMibPerSecond: 100 });
  const work = addWork(steps.map((step) => step.work));
  expect(work.state_transition).toBe(counted.state_transitions);
  expect(work.s3_get).toBe(counted.by_call["s3 GET"]);
  expect(counted.by_function["ExtractVolumeSpec s3 GET"]).toBe(SOURCE_REQUESTS["CloneImage"]?.requests.s3_get);
});

it("the receipt of a clone has the lock that is counted", async () => {
  const source = async (rig: Rig) => {
    const message = await rig.putRecord({ sizeGib: 1 });
    await rig.create(message);
    return { sourceVolumeId: message.volume_id };
  };
  const counted = await benchCalls(2, source);
  const { by_function: counts } = counted;
  const writes =
    (counts["ExtractVolumeSpec dynamodb PutItem"] ?? 0) +
    (counts["ExtractVolumeSpec dynamodb UpdateItem"] ?? 0) +
    (counts["CreateVolumeOnFinish dynamodb DeleteItem"] ?? 0) +
    // In addition to the volume's last write and its claim.
    (counts["CreateVolumeOnFinish dynamodb UpdateItem"] ?? 0) -
    2;
  expect(writes).toBe(SOURCE_REQUESTS["CreateClonedVolume"]?.requests.dynamodb_write_unit);
});
