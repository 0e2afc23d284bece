import { setTimeout as delay } from "node:timers/promises";
import type { ComputeServer } from "./compute-server.ts";
import type { EmbeddedCloud } from "./embedded-cloud.ts";
import { EmbeddedCloudError } from "./errors.ts";
import type { SqsEventSource } from "./event-sources/sqs-event-source.ts";
import type { EventRules } from "./events/event-rules.ts";
import type { AsynchronousInvocations } from "./functions/asynchronous-invocations.ts";
import type { FunctionEmulator } from "./functions/function-emulator.ts";
import type { DynamodbPart } from "./parts/dynamodb.ts";
import type { MessagingPart } from "./parts/messaging.ts";
import type { Plan } from "./plan.ts";
import type { StateMachines } from "./states/state-machines.ts";

/** All running parts, after the template was deployed. */
export interface RunningCloud {
  readonly update: EmbeddedCloud["update"];
  readonly plan: Plan;
  readonly dynamodb: DynamodbPart;
  readonly messaging: MessagingPart;
  readonly compute: ComputeServer;
  readonly environment: Readonly<Record<string, string>>;
  readonly functions: FunctionEmulator;
  readonly asynchronous: AsynchronousInvocations;
  readonly rules: EventRules;
  readonly stateMachines: StateMachines;
  readonly sources: readonly SqsEventSource[];
  readonly stopAll: EmbeddedCloud["stop"];
}

/** The running cloud as its user sees it. */
export function cloudOf(cloud: RunningCloud): EmbeddedCloud {
  const { plan, dynamodb, messaging, compute, environment, functions, stateMachines } = cloud;
  return {
    outputs: plan.outputs,
    endpoints: {
      dynamodb: dynamodb.endpoint,
      sqs: messaging.endpoint,
      sns: messaging.endpoint,
      s3: messaging.endpoint,
      sfn: compute.endpoint,
      lambda: compute.endpoint,
    },
    resources: Object.fromEntries(plan.resources.map(({ resource, identity }) => [resource.logicalId, identity.ref])),
    environment,
    executions: {
      list: (filter) => stateMachines.executions(filter),
      describe: (executionArn) => stateMachines.execution(executionArn),
      history: (executionArn) => stateMachines.execution(executionArn).history,
      onTransition: (listener) => stateMachines.onTransition(listener),
    },
    get counters() {
      return {
        stateTransitions: stateMachines.stateTransitions,
        runningInvocations: functions.busy,
        lambdaInvocations: Object.fromEntries(functions.invocations),
      };
    },
    update: cloud.update,
    quiesce: (timeoutMilliseconds = 30_000) => quiesce(cloud, timeoutMilliseconds),
    stop: cloud.stopAll,
  };
}

async function quiesce(cloud: RunningCloud, timeoutMilliseconds: number): Promise<void> {
  const { functions, asynchronous, rules, stateMachines, sources } = cloud;
  const busy = (): number =>
    functions.busy +
    asynchronous.pending +
    rules.pending +
    stateMachines.running +
    sources.reduce((sum, source) => sum + source.busy, 0);
  const deadline = Date.now() + timeoutMilliseconds;
  // Idle twice in a row: at the first check a message may be between two parts.
  for (let quietLooks = 0; quietLooks < 2;) {
    quietLooks = busy() === 0 ? quietLooks + 1 : 0;
    if (Date.now() > deadline)
      throw new EmbeddedCloudError(`the embedded cloud did not come to rest in ${timeoutMilliseconds} ms`);
    await delay(10);
  }
}
