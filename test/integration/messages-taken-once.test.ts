import { expect, it, onTestFinished } from "vitest";
import { startUnderTest } from "../support/local-cinderless.ts";

/**
 * Deliveries of the scheduler queue where nothing fails. A message that comes again is harmless, so nothing else would show a function
 * that fails after its work and has each message delivered a second time.
 */
it("takes each message once where nothing fails, whether it comes through the API or from another service", async () => {
  const lines: string[] = [];
  const problems: string[] = [];
  const under = await startUnderTest({
    logSink: (line) => void lines.push(line),
    problemSink: (line) => void problems.push(line),
  });
  onTestFinished(() => under.stop());

  const volumes = await Promise.all(
    Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? byMessage() : byApi(index))),
  );
  const ended = await Promise.all(volumes.map((id) => under.settled(id)));
  await under.cloud.quiesce();

  expect(ended.map(({ status }) => status)).toEqual(volumes.map(() => "available"));
  const logged = lines.filter((line) => line.includes("ScheduleVolume")).map(messageOf);
  expect(logged.filter(({ message }) => message === "message comes again")).toEqual([]);
  const taken = logged.filter(({ message }) => message === "message taken").map(({ volume_id }) => volume_id);
  expect(taken).toHaveLength(volumes.length);
  expect(new Set(taken)).toEqual(new Set(volumes));
  expect(problems).toEqual([]);

  function byMessage(): Promise<string> {
    return under.create({ sizeGib: 1 });
  }

  async function byApi(number: number): Promise<string> {
    const response = await fetch(`${under.cloud.outputs["BlockStorageApiUrl"]}/admin/volumes`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": `once-${number}` },
      body: JSON.stringify({ volume: { size: 1 } }),
    });
    expect(response.status).toBe(202);
    const { volume } = (await response.json()) as { volume: { id: string } };
    return volume.id;
  }
});

/** A line of a function's log, which follows the function's name. */
function messageOf(line: string): { message?: string; volume_id?: string } {
  return JSON.parse(line.slice(line.indexOf("{"))) as { message?: string; volume_id?: string };
}
