import { expect, it } from "vitest";
import { deadLetterRecord } from "../../core/dead-letters/dead-letters.ts";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";
import { RETURNED_CAPACITY } from "../../core/records.ts";
import { createRawVolume } from "../../core/workflow/create-raw-volume.ts";
import { createVolumeOnFinish } from "../../core/workflow/create-volume-on-finish.ts";
import { redriveDeadLetter } from "../../core/dead-letters/redrive-dead-letter.ts";
import { scheduleVolume } from "../../core/scheduling/schedule-volume.ts";
import {
  aMessage,
  aSpec,
  aVolumeInFlow,
  aWorld,
  FIRST_HOST,
  SECOND_HOST,
  UNHURRIED,
  VOLUME_ID,
} from "../support/builders.ts";
import { START, type World } from "../support/fakes/world.ts";
import { type Gate, Interleaver } from "../support/interleaver.ts";

/** A volume that came to rest in error on a host that was never asked, and the letter of the message that was lost. */
function idle(): World {
  const world = aWorld(aVolumeInFlow());
  const [host = ""] = [...world.fakes.backends.records].find(([, { claims }]) => VOLUME_ID in claims) ?? [];
  const fault = { error: "MessageUndeliverable", cause: "lost", attempt: 1, at: START, attempts: [] };
  world.fakes.volumes.records.set(VOLUME_ID, aVolumeInFlow({ status: "error", deadline: null, fault }));
  void world.fakes.backends.settle(host, { key: VOLUME_ID, attempt: 1, claimedAt: START });
  const body = JSON.stringify(aMessage());
  const letter = { id: "m-1", body, reason: undefined, bodySha256: "", receivedCount: 6, sentAt: new Date(START) };
  world.fakes.deadLetters.records.set("m-1", deadLetterRecord(letter, VOLUME_ID, new Date(START)));
  return world;
}

/** One of two people who send the letter again, call by call. */
function redrive(world: World, gate: Gate): Promise<unknown> {
  const letter = world.fakes.deadLetters.records.get("m-1");
  const { deadLetters, volumes, backends, queue } = world.deps;
  const deps = { ...world.deps, deadLetters: gate(deadLetters), volumes: gate(volumes), backends: gate(backends) };
  return letter === undefined
    ? Promise.reject(new Error("no letter"))
    : redriveDeadLetter({ ...deps, queue: gate(queue) }, structuredClone(letter));
}

/** All sent messages are scheduled and created, up to the last write of the create. */
async function create(world: World): Promise<void> {
  for (const cast of world.casts.splice(0)) {
    const message = parseCreateVolumeMessage(JSON.stringify(cast));
    await scheduleVolume(world.deps, message, await world.fakes.volumes.get(VOLUME_ID));
  }
  const creation = { done: true, wait_seconds: 0, checkpoint: null, next: "finish", model_update: null } as const;
  for (const input of world.executions.values()) {
    if ((await world.fakes.volumes.get(VOLUME_ID)).status === "creating") {
      await createRawVolume(world.deps, input, UNHURRIED);
      await createVolumeOnFinish(world.deps, { ...input, volume_spec: aSpec(), creation });
    }
  }
}

it.each([
  ["nothing else", async () => {}],
  ["the volume is scheduled and created", create],
])(
  "two redrives of one letter at once give capacity back once, however they meet while %s",
  async (_what, meanwhile) => {
    for (let firstCalls = 0; firstCalls < 10; firstCalls += 1) {
      for (let secondCalls = 0; secondCalls < 10; secondCalls += 1) {
        const world = idle();
        const interleaver = new Interleaver();
        await interleaver.begin("first", (gate) => redrive(world, gate));
        for (let call = 0; call < firstCalls; call += 1) {
          await interleaver.advance(0);
        }
        await interleaver.begin("second", (gate) => redrive(world, gate));
        for (let call = 0; call < secondCalls; call += 1) {
          await interleaver.advance(interleaver.waiting - 1);
        }
        // The second one stands still until the first one has ended.
        const isSecondWaiting = interleaver.waiting > 1;
        while (interleaver.waiting > (isSecondWaiting ? 1 : 0)) {
          await interleaver.advance(0);
          await meanwhile(world);
        }
        await interleaver.finish();
        await create(world);
        const volume = await world.fakes.volumes.get(VOLUME_ID);
        const where = `first after ${firstCalls}, second after ${secondCalls}`;
        expect({ where, ...volume }).toMatchObject({
          where,
          status: "available",
          attempts: { 2: { outcome: "created" } },
        });
        for (const host of [FIRST_HOST, SECOND_HOST]) {
          const { allocated_capacity_gb: allocated, claims } = world.fakes.backends.seen(host);
          expect(allocated, `${host}, ${where}`).toBe(volume.host === host ? 1 : 0);
          expect(Object.values(claims).filter(({ attempt }) => attempt !== RETURNED_CAPACITY)).toEqual([]);
        }
      }
    }
  },
);
