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
  /** When its deletion is asked for; null when it stays. */
  deletion: DeletionMoment | null;
  /** Its message names it and cannot be read. */
  spoiled: boolean;
  /** Another project asks for it than the one that owns the source. */
  foreign: boolean;
};

/**
 * When a deletion is asked for: some milliseconds after the message, or after the backend was seen to work on the volume, or after it
 * was seen to have left the flow.
 */
export type DeletionMoment = { after: "message" | "backend" | "create"; milliseconds: number };

/** A message that no volume comes of. */
export type BadWish = BadMessage & { body: string };

/** What is asked for, in this order; bad messages come between. */
export type Work = { wishes: Wish[]; bad: BadWish[] };

const IMAGE_SHARE = 0.2;
const SPOILED_SHARE = 0.01;
const REPEATED_SHARE = 0.08;
const DELETED_SHARE = 0.09;
const FOREIGN_SHARE = 0.05;
const BAD_SHARE = 0.02;
const LONGEST_DELETE_DELAY_MS = 3000;
const DELETION_MOMENTS = ["message", "backend", "create"] as const;

/** The token of every request's context: nothing of the product may keep, send or log it. */
export const SECRET = "token-that-nobody-may-see";

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
      deletion: random.chance(DELETED_SHARE)
        ? { after: random.pick(DELETION_MOMENTS), milliseconds: random.below(LONGEST_DELETE_DELAY_MS) }
        : null,
      spoiled: random.chance(SPOILED_SHARE),
      foreign: kind !== "raw" && random.chance(FOREIGN_SHARE),
    };
  });
  const bad = Array.from({ length: Math.ceil(volumes * BAD_SHARE) }, () => badWish(random));
  return { wishes, bad };
}

function badWish(random: Random): BadWish {
  const marker = random.uuid();
  const context = { request_id: `req-${random.uuid()}`, project_id: "chaos", auth_token: SECRET };
  return random.pick<BadWish>([
    { marker, why: "is not valid JSON", body: `{"auth_token": "${SECRET}", "volume_id": ${marker}` },
    { marker, why: "is no request", body: JSON.stringify({ request: marker }) },
    { marker, why: "names no volume that exists", body: JSON.stringify({ context, volume_id: marker }) },
  ]);
}
