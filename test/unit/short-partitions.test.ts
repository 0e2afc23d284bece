import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { partition, setPartitionInfo, useDefaultPartitionInfo } from "@aws-sdk/core/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Partitions, shortPartitions } from "../../infra/trim-sdk.ts";

const CORE = path.dirname(createRequire(import.meta.url).resolve("@aws-sdk/core/package.json"));
const SOURCE = readFileSync(path.join(CORE, "dist-es/submodules/client/util-endpoints/lib/aws/partitions.js"), "utf8");
const WHOLE = JSON.parse(SOURCE.slice(SOURCE.indexOf("{"), SOURCE.lastIndexOf("}") + 1)) as Partitions;
const SHORT = shortPartitions(WHOLE);

const REGIONS = [
  ...WHOLE.partitions.flatMap(({ regions }) => Object.keys(regions)),
  "eu-new-7",
  "us-gov-new-1",
  "mars-1",
];

/** The SDK's result for a region, without the description. */
function found(region: string): object {
  const { description: _description, ...data } = partition(region) as unknown as Record<string, unknown>;
  return data;
}

const whole = new Map<string, object>();

beforeAll(() => {
  for (const region of REGIONS) {
    whole.set(region, found(region));
  }
  setPartitionInfo(SHORT as unknown as Parameters<typeof setPartitionInfo>[0]);
});

afterAll(useDefaultPartitionInfo);

it.each(REGIONS)("the partition of %s is the same without the regions that patterns find", (region) => {
  expect(found(region)).toEqual(whole.get(region));
});

it("are less than half as long", () => {
  expect(JSON.stringify(SHORT).length).toBeLessThan(JSON.stringify(WHOLE).length / 2);
});
