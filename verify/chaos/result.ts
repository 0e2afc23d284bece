import type { AcceptedVolume, Evidence, Violation } from "./evidence.ts";

/** The result of a run. Counts by name; times in milliseconds or, where the name says so, seconds. */
export type ChaosResult = {
  seed: number;
  volumes: number;
  fault_rate: number;
  kills: number;
  seconds: number;
  /** From the last answer to what was asked until all was at rest. */
  seconds_to_rest: number;
  /** From each kill until the next process served. */
  recovery_ms: number[];
  /** How often the process was killed before each step of the API. */
  kills_before: Readonly<Record<string, number>>;
  /** Requests of clients to the API, and what came of them. */
  api: Record<string, number>;
  /** Creates through the API by how they ended for their clients; the others came as messages. */
  creates: Record<string, number>;
  outcomes: Record<"available" | "error" | "deleted", number>;
  by_kind: Record<string, { asked: number; available: number }>;
  /** Volumes by the number of their attempts; those that were deleted are not among them. */
  attempts: Record<string, number>;
  /** Volumes in error by the error of their fault. */
  errors: Record<string, number>;
  faults: { backends: Record<string, number>; services: Record<string, number> };
  /** Cached volumes that lost bytes while the process was dead. */
  cached_volumes_damaged: number;
  /** Actions of the operators during the run. */
  operators: Record<string, number>;
  notifications: Record<string, number>;
  dead_letters: number;
  violations: Violation[];
};

/** The counts that the evidence gives. */
export function countsOf(
  evidence: Evidence,
): Pick<ChaosResult, "creates" | "outcomes" | "by_kind" | "attempts" | "errors" | "notifications" | "dead_letters"> {
  const records = new Map(evidence.records.map((record) => [record.id, record]));
  const recordOf = ({ id }: AcceptedVolume) => records.get(id);
  const statuses = evidence.accepted.map((volume) => recordOf(volume)?.status ?? "deleted");
  const count = (status: string): number => statuses.filter((each) => each === status).length;
  const present = evidence.accepted.flatMap((volume) => recordOf(volume) ?? []);
  const { creates, snapshots } = evidence.api;
  return {
    creates: {
      ...tally(creates.map(({ end }) => end)),
      "by message": evidence.accepted.length - creates.filter(({ end }) => end !== "refused by the quota").length,
      snapshots: snapshots.length,
      extensions: evidence.accepted.filter(({ extendedTo }) => extendedTo !== null).length,
      "statuses set": evidence.accepted.filter(({ resetTo }) => resetTo !== null).length,
    },
    outcomes: { available: count("available"), error: count("error"), deleted: count("deleted") },
    by_kind: Object.fromEntries(
      ["raw", "image", "snapshot", "clone"].map((kind) => {
        const asked = evidence.accepted.filter((volume) => volume.kind === kind);
        const available = asked.filter((volume) => recordOf(volume)?.status === "available").length;
        return [kind, { asked: asked.length, available }];
      }),
    ),
    attempts: tally(present.map(({ attempts }) => String(Object.keys(attempts).length))),
    errors: tally(present.flatMap(({ fault }) => fault?.error ?? [])),
    notifications: tally(evidence.told.map(({ eventType }) => eventType)),
    dead_letters: evidence.deadLetters.length,
  };
}

/** How often each name stands there, the names in order. */
function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted((one, other) => one.localeCompare(other))) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
