import type { BadMessage, Kind } from "./evidence.ts";
import type { Random } from "./random.ts";
import { CACHING_ZONE, HANGING_ZONE, ZONE, type Zone } from "./stack.ts";

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
  zone: Zone;
};

/**
 * When a deletion is asked for: some milliseconds after the message, or after the backend was seen to work on the volume, or after it
 * was seen to have left the flow, or after its backend began to hang.
 */
export type DeletionMoment = { after: "message" | "backend" | "create" | "hang"; milliseconds: number };

/** A message that no volume comes of. */
export type BadWish = BadMessage & { body: string };

/** The requests in this order; bad messages come in between. */
export type Work = {
  wishes: Wish[];
  bad: BadWish[];
  /** How many volumes are asked for before the backend begins to hang. */
  hangAfter: number;
};

const IMAGE_SHARE = 0.2;
const SPOILED_SHARE = 0.01;
const REPEATED_SHARE = 0.08;
const DELETED_SHARE = 0.09;
const FOREIGN_SHARE = 0.05;
const BAD_SHARE = 0.02;
const LONGEST_DELETE_DELAY_MS = 3000;
/** Volumes on the hanging backend, whose removals hang too. */
const HANGING_DELETED_SHARE = 0.5;
/** Images that volumes of the backend with a cache are made of; none of the damaged ones. */
const CACHED_IMAGES = 2;
/** The moment at which the backend begins to hang lies between these shares of the volumes. */
const HANG_SHARES = { from: 0.2, to: 0.5 };
const DELETION_MOMENTS = ["message", "backend", "create"] as const;

/** The token of every request's context: nothing of the product may keep, send or log it. */
export const SECRET = "token-that-nobody-may-see";

/** How many snapshots and source volumes there are to choose from. */
export const SOURCES = 3;
/** How many images, and how many of them have not the bytes that their document says. */
export const IMAGES = 8;
export const DAMAGED_IMAGES = 2;

/**
 * Share of volumes made from a snapshot, and as many again of clones. Each reads a whole GiB, holes included, which takes seconds of
 * a busy machine: a few of them in a short run, and one in fifty of a long one.
 */
function copiedShare(volumes: number): number {
  return Math.min(0.2, Math.max(0.02, 4 / volumes));
}

/**
 * One volume in so many is on the backend that hangs, and one on the backend with a cache: eight or more in any but a tiny run, so that
 * some wait at each moment.
 */
function specialEvery(volumes: number): number {
  return Math.min(30, Math.max(2, Math.floor(volumes / 8)));
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
  const every = specialEvery(volumes);
  const wishes = Array.from({ length: volumes }, (_, index): Wish => {
    if (index % every === 0) {
      return cachingWish(random);
    }
    if (index % every === 1) {
      return hangingWish(random);
    }
    const kind = kindOf(random.next(), copiedShare(volumes));
    return {
      volumeId: random.uuid(),
      kind,
      sizeGib: random.chance(0.2) ? 2 : 1,
      source: random.below(kind === "image" ? IMAGES : SOURCES),
      repeats: random.chance(REPEATED_SHARE) ? 1 + random.below(2) : 0,
      deletion: random.chance(DELETED_SHARE)
        ? { after: random.pick(DELETION_MOMENTS), milliseconds: random.below(LONGEST_DELETE_DELAY_MS) }
        : null,
      spoiled: random.chance(SPOILED_SHARE),
      foreign: kind !== "raw" && random.chance(FOREIGN_SHARE),
      zone: ZONE,
    };
  });
  const bad = Array.from({ length: Math.ceil(volumes * BAD_SHARE) }, () => badWish(random));
  const { from, to } = HANG_SHARES;
  const hangAfter = Math.max(1, Math.floor((from + random.next() * (to - from)) * volumes));
  return { wishes, bad, hangAfter };
}

/** Snapshots and source volumes are on the other backends, so a volume here is empty or of an image. */
function hangingWish(random: Random): Wish {
  return {
    volumeId: random.uuid(),
    kind: random.chance(IMAGE_SHARE) ? "image" : "raw",
    sizeGib: 1,
    source: random.below(IMAGES),
    repeats: 0,
    deletion: random.chance(HANGING_DELETED_SHARE)
      ? { after: "hang", milliseconds: random.below(LONGEST_DELETE_DELAY_MS) }
      : null,
    spoiled: false,
    foreign: false,
    zone: HANGING_ZONE,
  };
}

/** Of few images, so that most are clones of cached volumes: each reads a whole GiB. */
function cachingWish(random: Random): Wish {
  return {
    volumeId: random.uuid(),
    kind: "image",
    sizeGib: 1,
    source: random.below(CACHED_IMAGES),
    repeats: 0,
    deletion: null,
    spoiled: false,
    foreign: false,
    zone: CACHING_ZONE,
  };
}

function badWish(random: Random): BadWish {
  const marker = random.uuid();
  const context = { request_id: `req-${random.uuid()}`, project_id: "chaos", auth_token: SECRET };
  return random.pick<BadWish>([
    { marker, why: "is not valid JSON", body: `{"auth_token": "${SECRET}", "volume_id": ${marker}` },
    { marker, why: "is not a request", body: JSON.stringify({ request: marker }) },
    { marker, why: "names no volume that exists", body: JSON.stringify({ context, volume_id: marker }) },
  ]);
}
