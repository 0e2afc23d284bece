// @ts-nocheck
import type { BadMessage, Kind } from "./evidence.ts";
import type { Random } from "./random.ts";

/** A volume to ask for. */
export type Wish = {
  volumeId: string;
  kind: Kind;
  sizeGib: number;
  /** Which of the images, snapshots or source volumes. */
  source: number;
  /** Its message is sent so often more, later. */
  repeats: number;
  /** Milliseconds after its message when its deletion is asked for; null when it stays. */
  deleteAfterMs: number | null;
  /** Its message names it and cannot be read. */
  spoiled: boolean;
};

/** A message that no volume comes of. */
export type BadWish = BadMessage & { body: string };

/** What is asked for, in this order; bad messages come between. */
export type Work = { wishes: Wish[]; bad: BadWish[] };

const IMAGE_SHARE = 0.2;
const SPOILED_SHARE = 0.01;
const REPEATED_SHARE = 0.08;
const DELETED_SHARE = 0.06;
const BAD_SHARE = 0.02;
const LONGEST_DELETE_DELAY_MS = 3000;

/** How many images, snapshots and source volumes there are to choose from. */
export const SOURCES = 3;

/**
 * Share of volumes made from a snapshot, and as many again of clones. Each reads a whole GiB, holes included, which takes seconds of
 * a busy machine: a few of them in a short run, and one in fifty of a long one.
 */
function copiedShare(volumes: number): number {
  return Math.min(0.2, Math.max(0.02, 4 / volumes));
}

/** Kinds of work as they come: most are empty volumes. */
function kindOf(drawn: number, copied: number): Kind {
  if (drawn < copied) {
    return "snapshot";
  }
  if (drawn < 2 * copied) {
    return "clone";
  }
  return drawn < 2 * copied + IMAGE_SHARE ? "image" : "raw";
}

/** Draws the work of a run. */
export function planWork(random: Random, volumes: number): Work {
  const wishes = Array.from({ length: volumes }, (): Wish => {
    const kind = kindOf(random.next(), copiedShare(volumes));
    return {
      volumeId: random.uuid(),
      kind,
      sizeGib: random.chance(0.2) ? 2 : 1,
      source: random.below(SOURCES),
      repeats: random.chance(REPEATED_SHARE) ? 1 + random.below(2) : 0,
      deleteAfterMs: random.chance(DELETED_SHARE) ? random.below(LONGEST_DELETE_DELAY_MS) : null,
      spoiled: random.chance(SPOILED_SHARE),
    };
  });
  const bad = Array.from({ length: Math.ceil(volumes * BAD_SHARE) }, () => badWish(random));
  return { wishes, bad };
}

function badWish(random: Random): BadWish {
  const marker = random.uuid();
  const context = { request_id: `req-${random.uuid()}`, project_id: "chaos" };
  return random.pick<BadWish>([
    { marker, why: "is no JSON", body: `{"volume_id": ${marker}` },
    { marker, why: "is no request", body: JSON.stringify({ request: marker }) },
    { marker, why: "names no volume that exists", body: JSON.stringify({ context, volume_id: marker }) },
  ]);
}
