import { access, rm, writeFile } from "node:fs/promises";
import type { BesideHanging, PlantedOrphan } from "./evidence.ts";
import { type Operators, plantedFile } from "./operators.ts";
import { type Unrest, unrestOf, untilRest } from "./rest.ts";
import { persist, type Services } from "./services.ts";
import { HANGING_BACKEND, HANGING_ZONE, hangFile } from "./stack.ts";
import type { Submission } from "./submit.ts";

/** The backend that hangs for a part of the run: each call to it, by whatever function, ends by the caller's time limit. */
export type Hang = {
  /** Lets it hang from the moment at which so many volumes are accepted that it is due. */
  onAccepted(count: number): void;
  /** Resolves when it hangs. */
  readonly begun: Promise<void>;
  /** Resolves when it answers again. */
  readonly over: Promise<void>;
  /** Lets it answer again. */
  end(): Promise<void>;
};

/** @param after how many volumes are accepted before it hangs */
export function planHang(directory: string, after: number): Hang {
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  // The waiting caller gets the error.
  begun.promise.catch(() => undefined);
  let isDue = false;
  return {
    begun: begun.promise,
    over: over.promise,
    onAccepted: (count) => {
      if (count >= after && !isDue) {
        isDue = true;
        writeFile(hangFile(directory), "").then(begun.resolve, begun.reject);
      }
    },
    end: async () => {
      await rm(hangFile(directory), { force: true });
      over.resolve();
    },
  };
}

/** Work that has to come to rest while a backend hangs. */
type Beside = Unrest & {
  /** Other backends that have not reported since. */
  silent: number;
  planted: number;
  /** 1 until an audit has answered since. */
  audits: number;
};

/** State at the beginning of the hang: when each other backend had reported, and how many audits had answered. */
export type Before = { reports: ReadonlyMap<string, string>; audits: number };

/** Looks at what is there when the backend begins to hang. */
export async function whenHanging(
  { begun }: Pick<Hang, "begun">,
  services: Services,
  operators: Pick<Operators, "counts">,
  signal: AbortSignal,
): Promise<Before> {
  await begun;
  return { reports: await persist(signal, () => reportsOfOthers(services)), audits: operators.counts.audits };
}

type Gathering = {
  services: Services;
  directory: string;
  submission: Submission;
  operators: Pick<Operators, "counts">;
  planted: readonly PlantedOrphan[];
  before: Before;
  signal: AbortSignal;
  onLook: (unrest: Unrest) => void;
};

/**
 * Waits, while the backend hangs, until everything else is at rest: each create is decided, also those on this backend, every removal from
 * another backend has ended, the others have reported again, an audit has answered, and audits have removed the planted files from them.
 */
export async function restBesideHanging(of: Gathering): Promise<BesideHanging> {
  const { services, directory, submission, operators, before, signal, onLook } = of;
  const others = of.planted.filter(({ backend }) => backend !== HANGING_BACKEND.host);
  const look = async (): Promise<Beside> => {
    const reports = await reportsOfOthers(services);
    return {
      ...(await unrestOf(services, await removalsThatHang(services, submission))),
      silent: [...reports].filter(([host, reportedAt]) => before.reports.get(host) === reportedAt).length,
      planted: (await stillThere(directory, others)).length,
      audits: operators.counts.audits > before.audits ? 0 : 1,
    };
  };
  const unrest = await untilRest(look, signal, onLook);
  return {
    unrest: unrest === null ? null : textOf(unrest),
    planted: await stillThere(directory, others),
  };
}

/** When each other backend has reported last. */
async function reportsOfOthers({ backends }: Services): Promise<Map<string, string>> {
  const all = await backends.list();
  return new Map(
    all.flatMap(({ host, reported_at }) => (host.startsWith(`${HANGING_BACKEND.host}#`) ? [] : [[host, reported_at]])),
  );
}

/** Volumes whose deletion was asked for, and whose backend does not say that they are gone. */
async function removalsThatHang({ volumes }: Services, { accepted }: Submission): Promise<Set<string>> {
  const there = accepted.filter(({ zone }) => zone === HANGING_ZONE);
  const records = await volumes.getMany(there.map(({ id }) => id));
  return new Set(
    [...records.values()].flatMap(({ id, status, host, deadline }) =>
      deadline !== null && /^(error_)?deleting$/.test(status) && host?.startsWith(HANGING_BACKEND.host) === true
        ? [id]
        : [],
    ),
  );
}

async function stillThere(directory: string, planted: readonly PlantedOrphan[]): Promise<PlantedOrphan[]> {
  const found = await Promise.all(
    planted.map((each) =>
      access(plantedFile(directory, each)).then(
        () => [each],
        () => [],
      ),
    ),
  );
  return found.flat();
}

function textOf(counts: Record<string, number>): string {
  const left = Object.entries(counts).filter(([, count]) => count !== 0);
  return left.map(([what, count]) => `${what} ${count}`).join(", ");
}
