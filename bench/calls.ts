import type { EmbeddedCloud, HistoryEvent } from "@cinderless/embedded-cloud";
import type { CreateRequestInput } from "../core/requests/create-request.ts";
import { functionNameIn } from "../infra/inline-template.ts";
import { STACK_NAME } from "../infra/stack-name.ts";
import { inFlight, type Rig, startRig } from "./rig.ts";
import { startTally, type Tally } from "./tally.ts";

/** The average cost of one raw create. */
export type CallCounts = {
  volumes: number;
  state_transitions: number;
  sdk_calls: number;
  /** Calls by service and action. */
  by_call: Record<string, number>;
  /** Units of the tables; AWS adds those of the index by deadline, one or two for each of the three writes that change it. */
  write_units: number;
  read_units: number;
  /** Calls by function, service and action, as `ExtractVolumeSpec s3 GET`. */
  by_function: Record<string, number>;
  /** JSON of the workflow's input. */
  input_bytes: number;
  /** JSON of the largest state document. */
  largest_state_bytes: number;
};

const DEFAULT_VOLUMES = 100;

/** Creates the sources of the volumes, and returns the request's keys for each. */
type SourceOf = (rig: Rig) => Promise<Partial<CreateRequestInput>>;

const NO_SOURCE: SourceOf = async () => ({});

/**
 * Counts the functions' calls with a tally between them and the services. Creates run one at a time, so that no batch shares a call: the
 * figures are the most that a create costs.
 */
export async function benchCalls(volumes = DEFAULT_VOLUMES, source: SourceOf = NO_SOURCE): Promise<CallCounts> {
  const byFunction = new Map<string, number>();
  const tally = await startTally(({ accessKeyId, service, action }) => {
    const name = functionNameIn(accessKeyId.replace(`${STACK_NAME}-`, ""));
    const call = `${name ?? "others"} ${service} ${action}`;
    byFunction.set(call, (byFunction.get(call) ?? 0) + 1);
  });
  const rig = await startRig({ functionEnvironment: tally.environment }, ({ cloud }) => tally.connect(cloud.endpoints));
  try {
    const wish = { sizeGib: 1, ...(await source(rig)) };
    const warmUp = await rig.putRecord(wish);
    await rig.create(warmUp);
    await rig.cloud.quiesce();
    const messages: (typeof warmUp)[] = [];
    await inFlight(Array.from({ length: volumes }), 8, async () => {
      messages.push(await rig.putRecord(wish));
    });
    tally.reset();
    byFunction.clear();
    const transitionsBefore = rig.cloud.counters.stateTransitions;
    for (const message of messages) {
      await rig.create(message);
    }
    const transitions = rig.cloud.counters.stateTransitions - transitionsBefore;
    return { ...countsOf(volumes, tally, rig.cloud, transitions), by_function: shares(byFunction, volumes) };
  } finally {
    await rig.stop();
    await tally.stop();
  }
}

/** The state document that a state passed on. */
function outputOf({ stateExitedEventDetails: details }: HistoryEvent): string {
  const output = typeof details === "object" && details !== null && "output" in details ? details.output : "";
  return typeof output === "string" ? output : "";
}

function shares(counts: ReadonlyMap<string, number>, volumes: number): Record<string, number> {
  return Object.fromEntries(
    [...counts].map(([call, count]) => [call, count / volumes] as const).toSorted(([a], [b]) => a.localeCompare(b)),
  );
}

function countsOf(
  volumes: number,
  tally: Tally,
  cloud: EmbeddedCloud,
  transitions: number,
): Omit<CallCounts, "by_function"> {
  // Reports and sweeps run during the creates, on their schedules.
  const byCall = [...tally.calls].map(([call, count]): [string, number] => [call, count / volumes]);
  const [execution] = cloud.executions.list();
  const history = execution === undefined ? [] : cloud.executions.history(execution.executionArn);
  const sizes = history.map((event) => Buffer.byteLength(outputOf(event)));
  return {
    volumes,
    state_transitions: transitions / volumes,
    sdk_calls: byCall.reduce((sum, [, count]) => sum + count, 0),
    by_call: Object.fromEntries(byCall.toSorted(([a], [b]) => a.localeCompare(b))),
    write_units: tally.writeUnits / volumes,
    read_units: tally.readUnits / volumes,
    input_bytes: Buffer.byteLength(execution?.input ?? ""),
    largest_state_bytes: Math.max(0, ...sizes),
  };
}
