import type { EmbeddedCloud, HistoryEvent } from "../local/cloud/embedded-cloud.ts";
import { inFlight, startRig } from "./rig.ts";
import { startTally, type Tally } from "./tally.ts";

/** What one raw create costs, on average. */
export type CallCounts = {
  volumes: number;
  state_transitions: number;
  sdk_calls: number;
  /** Calls by service and action. */
  by_call: Record<string, number>;
  /** Of the tables; AWS adds those of the index by deadline, one or two for each of the three writes that change it. */
  write_units: number;
  read_units: number;
  /** JSON of the workflow's input. */
  input_bytes: number;
  /** JSON of the largest state document on the way. */
  largest_state_bytes: number;
};

const DEFAULT_VOLUMES = 100;

/**
 * Counts the calls that the functions make, at a tally between them and the services. Creates are made one at a time, so that no
 * batch shares a call: the figures are the most that a create costs.
 */
export async function benchCalls(volumes = DEFAULT_VOLUMES): Promise<CallCounts> {
  const tally = await startTally();
  const rig = await startRig({ functionEnvironment: tally.environment }, ({ cloud }) => tally.connect(cloud.endpoints));
  try {
    const warmUp = await rig.putRecord({ sizeGib: 1 });
    await rig.create(warmUp);
    await rig.cloud.quiesce();
    const messages: (typeof warmUp)[] = [];
    await inFlight(Array.from({ length: volumes }), 8, async () => {
      messages.push(await rig.putRecord({ sizeGib: 1 }));
    });
    tally.reset();
    const transitionsBefore = rig.cloud.counters.stateTransitions;
    for (const message of messages) {
      await rig.create(message);
    }
    return countsOf(volumes, tally, rig.cloud, rig.cloud.counters.stateTransitions - transitionsBefore);
  } finally {
    await rig.stop();
    await tally.stop();
  }
}

/** The state document that a state handed on. */
function outputOf({ stateExitedEventDetails: details }: HistoryEvent): string {
  const output = typeof details === "object" && details !== null && "output" in details ? details.output : "";
  return typeof output === "string" ? output : "";
}

function countsOf(volumes: number, tally: Tally, cloud: EmbeddedCloud, transitions: number): CallCounts {
  // Reports and sweeps run beside the creates, on their schedules.
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
