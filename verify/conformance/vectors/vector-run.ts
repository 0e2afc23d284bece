import { isDeepStrictEqual } from "node:util";
import { describeError } from "../../../core/errors.ts";
import { DEFINED_ANSWERS } from "../../../core/scheduling/defined-answers.ts";
import type { SchedulerVectors } from "./recorded.ts";
import { REPLAYS, type Replayed } from "./replays.ts";

/**
 * How one vector compares. `defined answer`: Cinder's scheduler crashes there, and the answer that takes the crash's place is the one that
 * is listed in core/scheduling/defined-answers.ts. `ended as in Zed`: the seed's manager continues without a retry, for ever or into a
 * crash; without one the request ends.
 */
export type VectorResult = {
  name: string;
  verdict: "same as Cinder" | "defined answer" | "ended as in Zed" | "different" | "error";
  expected: unknown;
  actual: unknown;
};

/** Sections of a file of vectors; a file may have some of them only. */
export type Vectors = Partial<SchedulerVectors>;

/**
 * Reads a file of vectors.
 *
 * @throws Error with one line that says what is wrong with it.
 */
export function parseVectors(text: string): Vectors {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (error) {
    throw new Error(`not valid JSON: ${describeError(error).message}`, { cause: error });
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) {
    throw new Error("no object of sections");
  }
  for (const [section, vectors] of Object.entries(read)) {
    if (!Object.hasOwn(REPLAYS, section)) {
      throw new Error(`unknown section ${section}; the sections are ${Object.keys(REPLAYS).join(", ")}`);
    }
    if (!Array.isArray(vectors)) {
      throw new Error(`section ${section} is not a list`);
    }
  }
  return read;
}

/** Replays every vector through the scheduler's rules. */
export function runVectors(vectors: Vectors): VectorResult[] {
  return Object.entries(vectors).flatMap(([section, list]) =>
    (list as { name?: string }[]).map((vector, index) =>
      resultOf(`${section}/${vector.name ?? index + 1}`, () =>
        (REPLAYS[section as keyof SchedulerVectors] as (vector: unknown) => Replayed)(vector),
      ),
    ),
  );
}

function resultOf(name: string, replay: () => Replayed): VectorResult {
  try {
    const { expected, actual, crash, isEnded = false } = replay();
    if (!isDeepStrictEqual(plain(actual), plain(expected))) {
      return { name, verdict: "different", expected, actual };
    }
    if (crash === undefined) {
      return { name, verdict: isEnded ? "ended as in Zed" : "same as Cinder", expected, actual };
    }
    const isListed = DEFINED_ANSWERS.some(
      ({ where, cinder }) => where.includes(crash.place) && cinder.includes(crash.error),
    );
    return { name, verdict: isListed ? "defined answer" : "different", expected: isListed ? expected : crash, actual };
  } catch (error) {
    return { name, verdict: "error", expected: undefined, actual: describeError(error).message };
  }
}

/** As in JSON: -0 and undefined are not differences. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null));
}
