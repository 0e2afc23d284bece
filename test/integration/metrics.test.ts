import { expect, it } from "vitest";
import { startRig } from "../../bench/rig.ts";
import { until } from "../support/until.ts";

type Embedded = Record<string, unknown> & {
  _aws: { CloudWatchMetrics: { Namespace: string; Dimensions: string[][] }[] };
};

/** Lines of the embedded metric format among what functions wrote. */
function embedded(lines: readonly string[]): Embedded[] {
  return lines.flatMap((line) => {
    const json = /^\S+: (\{.*"_aws".*\})$/.exec(line)?.[1];
    return json === undefined ? [] : [JSON.parse(json) as Embedded];
  });
}

it("a create writes its metrics into the log, in CloudWatch's embedded format", async () => {
  const lines: string[] = [];
  const rig = await startRig({ logSink: (line) => void lines.push(line) });
  try {
    await rig.create(await rig.putRecord({ sizeGib: 1 }));
    await until(() => embedded(lines).some((metric) => "CreateDurationMilliseconds" in metric));
    const written = embedded(lines);
    expect(written.every(({ _aws }) => _aws.CloudWatchMetrics[0]?.Namespace === "Cinderless")).toBe(true);
    expect(written).toContainEqual(
      expect.objectContaining({ service: "cinderless", outcome: "available", Creates: 1 }),
    );
    const duration = written.find((metric) => "CreateDurationMilliseconds" in metric);
    expect(duration?.["CreateDurationMilliseconds"]).toBeGreaterThan(0);
    // The alarms and the dashboard read it over all outcomes.
    expect(duration?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual([["service"]]);
  } finally {
    await rig.stop();
  }
});
