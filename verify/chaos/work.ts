import { idOfKey } from "../../core/api/volumes/idempotency.ts";
import type { BadMessage, Kind } from "./evidence.ts";
import type { Random } from "./random.ts";
import { CACHING_ZONE, HANGING_ZONE, ZONE, type Zone } from "./stack.ts";

/** A volume to ask for. */
export type Wish = {
  /** Its name, which is also the key of its request. */
  name: string;
  /** Its id follows from project and key where the API makes it. */
  volumeId: string;
  project: string;
  /** Through the Block Storage API; otherwise the client puts the record and sends the message itself, as Cinder's own services may. */
  byApi: boolean;
  /** Its cast never reaches the queue, and its client gives up: the deadline of the record has to end it. */
  abandoned: boolean;
  /** Its use after the create, through the API. */
  use: Use | null;
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

/** The use of an available volume: it grows, a snapshot of it is taken and perhaps deleted, or an operator sets its status. */
export type Use =
  | { what: "extend"; sizeGib: number }
  | { what: "snapshot"; name: string; isDeleted: boolean }
  | { what: "reset"; status: "error" | "available" };

/** A message that no volume comes of. */
export type BadWish = BadMessage & { body: string };

/** The requests in this order; bad messages come in between. */
export type Work = {
  wishes: Wish[];
  /** Limits of the projects that have any. */
  limits: Readonly<Record<string, Limits>>;
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
/** Volumes for which a client puts the record and sends the message itself. */
const BY_MESSAGE_SHARE = 0.25;
const ABANDONED_SHARE = 0.02;
/** Each waits in the flow for its whole deadline. */
const MOST_ABANDONED = 8;
/** Volumes of each project with limits, and the share of them that its limit lets through. */
const LIMITED_SHARE = 0.08;
const LIMIT_SHARE = 0.6;
const USED_SHARE = 0.08;
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

/** The project of most volumes and of all sources. Nothing limits it. */
export const PROJECT = "chaos";
/** A project that owns none of the sources. */
const STRANGER = "stranger";
/** Projects with a limited number of volumes, and with limited GiB. */
const FEW_VOLUMES = "few-volumes";
const FEW_GIGABYTES = "few-gigabytes";

/** Limits of a project's quota, -1 for none. */
export type Limits = { volumes: number; gigabytes: number; snapshots: number };

/** Limits of a project without any. */
export const UNLIMITED: Limits = { volumes: -1, gigabytes: -1, snapshots: -1 };

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
  let abandoned = 0;
  const wishes = Array.from({ length: volumes }, (_, index): Wish => {
    if (index % every === 0) {
      return cachingWish(random);
    }
    if (index % every === 1) {
      return hangingWish(random);
    }
    const wish = plainWish(random, copiedShare(volumes));
    if (wish.use !== null || !wish.byApi || wish.project !== PROJECT || wish.deletion !== null || wish.kind !== "raw") {
      return wish;
    }
    // At least one, in a run of any size.
    if (abandoned === 0 || (abandoned < MOST_ABANDONED && random.chance(ABANDONED_SHARE))) {
      abandoned += 1;
      return { ...wish, abandoned: true, repeats: 0 };
    }
    return wish;
  });
  const bad = Array.from({ length: Math.ceil(volumes * BAD_SHARE) }, () => badWish(random));
  const { from, to } = HANG_SHARES;
  const hangAfter = Math.max(1, Math.floor((from + random.next() * (to - from)) * volumes));
  return { wishes, bad, hangAfter, limits: limitsOf(wishes) };
}

/** A volume of the zone of most of the work. */
function plainWish(random: Random, copied: number): Wish {
  const asked = request(random, kindOf(random.next(), copied), ZONE);
  const { kind } = asked;
  const foreign = kind !== "raw" && random.chance(FOREIGN_SHARE);
  const spoiled = random.chance(SPOILED_SHARE);
  const byApi = !foreign && !spoiled && !random.chance(BY_MESSAGE_SHARE);
  const deletion = random.chance(DELETED_SHARE)
    ? { after: random.pick(DELETION_MOMENTS), milliseconds: random.below(LONGEST_DELETE_DELAY_MS) }
    : null;
  const sizeGib = random.chance(0.2) ? 2 : 1;
  const project = byApi && kind === "raw" ? projectOf(random.next()) : foreign ? STRANGER : PROJECT;
  return {
    ...inProject(asked, byApi, project),
    sizeGib,
    source: random.below(kind === "image" ? IMAGES : SOURCES),
    repeats: random.chance(REPEATED_SHARE) ? 1 + random.below(2) : 0,
    deletion,
    spoiled,
    foreign,
    use: byApi && kind === "raw" && deletion === null && random.chance(USED_SHARE) ? useOf(random, sizeGib) : null,
  };
}

function projectOf(drawn: number): string {
  if (drawn < LIMITED_SHARE) {
    return FEW_VOLUMES;
  }
  return drawn < 2 * LIMITED_SHARE ? FEW_GIGABYTES : PROJECT;
}

function useOf(random: Random, sizeGib: number): Use {
  return random.pick<Use>([
    { what: "extend", sizeGib: sizeGib + 1 },
    { what: "snapshot", name: `snapshot-${random.uuid()}`, isDeleted: random.chance(0.5) },
    { what: "reset", status: random.pick(["error", "available"]) },
  ]);
}

/** So that each limit refuses some of what is asked for. */
function limitsOf(wishes: readonly Wish[]): Record<string, Limits> {
  const some = (project: string, amount: (wish: Wish) => number): number =>
    Math.ceil(
      wishes.filter((wish) => wish.project === project).reduce((sum, wish) => sum + amount(wish), 0) * LIMIT_SHARE,
    );
  return {
    [FEW_VOLUMES]: { ...UNLIMITED, volumes: some(FEW_VOLUMES, () => 1) },
    [FEW_GIGABYTES]: { ...UNLIMITED, gigabytes: some(FEW_GIGABYTES, ({ sizeGib }) => sizeGib) },
  };
}

/** An empty volume or one of an image, of 1 GiB, that nothing else happens to. */
function request(random: Random, kind: Kind, zone: Zone): Wish {
  const name = `volume-${random.uuid()}`;
  const wish = { name, kind, zone, sizeGib: 1, source: 0, repeats: 0, deletion: null, use: null };
  return inProject(
    { ...wish, spoiled: false, foreign: false, abandoned: false, volumeId: random.uuid(), project: "", byApi: true },
    true,
    PROJECT,
  );
}

function inProject(wish: Wish, byApi: boolean, project: string): Wish {
  return { ...wish, byApi, project, volumeId: byApi ? idOfKey(project, wish.name) : wish.volumeId };
}

/** Snapshots and source volumes are on the other backends, so a volume here is empty or of an image. */
function hangingWish(random: Random): Wish {
  const wish = request(random, random.chance(IMAGE_SHARE) ? "image" : "raw", HANGING_ZONE);
  return {
    ...wish,
    source: random.below(IMAGES),
    deletion: random.chance(HANGING_DELETED_SHARE)
      ? { after: "hang", milliseconds: random.below(LONGEST_DELETE_DELAY_MS) }
      : null,
  };
}

/** Of few images, so that most are clones of cached volumes: each reads a whole GiB. */
function cachingWish(random: Random): Wish {
  return { ...request(random, "image", CACHING_ZONE), source: random.below(CACHED_IMAGES) };
}

function badWish(random: Random): BadWish {
  const marker = random.uuid();
  const context = { request_id: `req-${random.uuid()}`, project_id: PROJECT, auth_token: SECRET };
  return random.pick<BadWish>([
    { marker, why: "is not valid JSON", body: `{"auth_token": "${SECRET}", "volume_id": ${marker}` },
    { marker, why: "is not a request", body: JSON.stringify({ request: marker }) },
    { marker, why: "names no volume that exists", body: JSON.stringify({ context, volume_id: marker }) },
  ]);
}
