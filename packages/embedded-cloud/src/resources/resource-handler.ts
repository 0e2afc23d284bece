import type { AssetDirectories } from "../assets.ts";
import type { EventRules } from "../events/event-rules.ts";
import type { SqsEventSourceDefinition } from "../event-sources/sqs-event-source.ts";
import type { AsynchronousInvocations } from "../functions/asynchronous-invocations.ts";
import type { FunctionEmulator } from "../functions/function-emulator.ts";
import type { HttpApiPart } from "../http-api.ts";
import type { ResourceIdentity } from "../intrinsics.ts";
import type { JsonObject } from "../json.ts";
import type { Monitoring } from "../monitoring/monitoring.ts";
import type { DynamodbPart } from "../parts/dynamodb.ts";
import type { MessagingPart } from "../parts/messaging.ts";
import type { CloudLocation } from "../physical-names.ts";
import type { StateMachines } from "../states/state-machines.ts";

/** A resource with resolved expressions. */
export interface ResolvedResource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: JsonObject;
}

/** Components of names, ARNs and URLs. */
export interface IdentityContext extends CloudLocation {
  /** Address of SQS: a queue's Ref is its URL. */
  readonly messagingEndpoint: string;
  /** Address of the stack's HTTP API; empty without one. */
  readonly httpApiEndpoint: string;
}

/** Facts that are known before anything runs. */
export interface CheckContext {
  readonly assets: AssetDirectories;
}

/** The parts that resources are deployed to. */
export interface CloudParts extends CheckContext, IdentityContext {
  readonly dynamodb: DynamodbPart;
  readonly messaging: MessagingPart;
  readonly functions: FunctionEmulator;
  readonly asynchronous: AsynchronousInvocations;
  readonly stateMachines: StateMachines;
  readonly rules: EventRules;
  readonly monitoring: Monitoring;
  /** The server of the stack's HTTP API, if it has one. */
  readonly httpApi: HttpApiPart | undefined;
  /** Directory for code that the template holds inline; made when the first such code is written. */
  readonly inlineCodeDirectory: string;
  /** Event sources start when the whole stack is deployed. */
  readonly addEventSource: (definition: SqsEventSourceDefinition) => void;
}

/** One resource type. A type without `deploy` is accepted without effect, such as a role. */
export interface ResourceHandler {
  /** Properties that are supported, or accepted without effect; any other one fails the deployment. */
  readonly properties: readonly string[];
  /** Ref and attributes. Depends only on the resource and the location: the same after a restart. */
  identify(resource: ResolvedResource, context: IdentityContext): ResourceIdentity;
  /** Problems with values, one line each, without the logical id; run before anything is started. */
  check?(resource: ResolvedResource, context: CheckContext): readonly string[];
  /** Creates the resource, or finds an equal one. */
  deploy?(resource: ResolvedResource, identity: ResourceIdentity, parts: CloudParts): Promise<void> | void;
}

/** The problem of a value inside a property that is not supported. */
export function unsupported(property: string): string {
  return `property ${property} is not supported by the embedded cloud`;
}
