import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, it } from "vitest";
import { STACK_NAME } from "../../infra/stack-name.ts";
import { synthesize } from "../../infra/synthesize.ts";
import { localContext } from "../../local/cinderless.ts";
import { inFlight, startRig } from "../../bench/rig.ts";
import { until } from "../support/until.ts";

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) {
    rmSync(directory, { recursive: true, force: true });
  }
});

it("a deployment of another definition while creates run loses none of them", async () => {
  const rig = await startRig();
  try {
    const assembly = mkdtempSync(path.join(tmpdir(), "cinderless-upgrade-"));
    directories.push(assembly);
    const { template } = (await synthesize(assembly, localContext(rig.directory))).getStackByName(STACK_NAME);
    const messages = await Promise.all(Array.from({ length: 40 }, () => rig.putRecord({ sizeGib: 1 })));
    let created = 0;
    const creating = inFlight(messages, 8, async (message) => {
      await rig.create(message);
      created += 1;
    });
    await until(() => created >= 5);
    expect(created).toBeLessThan(messages.length);
    await rig.cloud.update({ template: withAnotherComment(template), assetDirectory: assembly });
    await creating;
    const records = await rig.volumes.getMany(messages.map(({ volume_id }) => volume_id));
    expect([...records.values()].map(({ status }) => status)).toEqual(messages.map(() => "available"));
    expect([...records.values()].filter(({ attempts }) => Object.keys(attempts).length !== 1)).toEqual([]);
  } finally {
    await rig.stop();
  }
});

/** The same stack with a state machine whose definition reads differently. */
function withAnotherComment(template: unknown): unknown {
  const text = JSON.stringify(template);
  const changed = text.replace(String.raw`"{\"StartAt\":`, String.raw`"{\"Comment\":\"the next release\",\"StartAt\":`);
  expect(changed).not.toBe(text);
  return JSON.parse(changed);
}
