import { Annotations, CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import type { Construct } from "constructs";
import { BACKENDS_FILE } from "../core/settings/environment.ts";
import { InvalidInput } from "../core/errors.ts";
import { FUNCTIONS, functionsOfKind, functionsUsing } from "../core/settings/functions.ts";
import { type ImageServicesOptions, secretsOf } from "../core/images/image-services.ts";
import { acknowledge } from "./acknowledge.ts";
import { BlockStorageApi } from "./block-storage-api.ts";
import { readConfiguration } from "./configuration.ts";
import { type Deployment, readDeployment } from "./deployment.ts";
import { customerKey } from "./encryption-key.ts";
import { type CodeOf, Functions } from "./functions.ts";
import { imagesBucket } from "./images-bucket.ts";
import { Messaging } from "./messaging.ts";
import { Nets, retriesOf } from "./nets.ts";
import { Observability } from "./observability.ts";
import { Records } from "./records.ts";
import { Storage } from "./storage.ts";
import { applyTimeBounds } from "./time-bounds.ts";
import { usesBackends, wireFunctions, wireWorkflow } from "./wiring.ts";
import { exportOf } from "./volume-consumers.ts";
import { Workflow } from "./workflow.ts";

/** Messages of one scheduling; they share one read of the volumes and, mostly, of the backends. */
const SCHEDULER_BATCH_SIZE = 10;

/** Dead letters of one batch; each costs a few writes, and a batch must end within the function's time-out. */
const DEAD_LETTER_BATCH_SIZE = 5;

/** Concurrent batches of dead letters: many dead letters mean a disaster elsewhere, whose repair needs the account's concurrency. */
const DEAD_LETTER_CONCURRENCY = 2;

/**
 * Concurrent schedulings. A burst of messages waits in the queue instead of taking the account's concurrency from the creates in progress.
 * Ten batches of ten are more creates a second than the backends of a stack accept.
 */
const SCHEDULER_CONCURRENCY = 10;

/** Functions that clients call by name; an audit may also be asked for. */
const CALLED_BY_CLIENTS = [...functionsOfKind("call"), "AuditBackends"] as const;

/** Warns at synthesis, instead of at the first image, that the functions' network has no route to a Glance. */
function warnOfGlanceOutOfReach(stack: Stack, { glance }: ImageServicesOptions): void {
  if (glance === undefined) {
    return;
  }
  const mounting = functionsUsing("images").filter((name) => FUNCTIONS[name].uses.includes("drivers"));
  Annotations.of(stack).addWarningV2(
    "cinderless:glance-out-of-reach",
    `image_services.glance: ${glance.api_servers.join(", ")} cannot be reached from the isolated subnets of Storage/Network, in which ` +
      `${mounting.slice(0, -1).join(", ")} and ${mounting.at(-1)} mount the file system. Connect that network to the Glance (peering, a transit ` +
      "gateway, PrivateLink; see docs/configuration.md, Image services), or deploy with -c fileSystem=none",
  );
}

/** Properties of the stack. */
export type CinderlessStackProps = StackProps & {
  codeOf: CodeOf;
  /** Whether it is deployed to the embedded cloud, where other machines cannot reach it. */
  onThisMachine?: boolean;
};

/**
 * The whole product as one stack. The constructs with data (`EncryptionKey`, `Records`, `ImagesBucket`, `Storage`) come first and do not
 * depend on the others, so the workflow can be replaced without affecting data.
 */
export class CinderlessStack extends Stack {
  readonly deployment: Deployment;

  constructor(scope: Construct, id: string, props: CinderlessStackProps) {
    const deployment = readDeployment(scope.node);
    super(scope, id, { ...props, stackName: deployment.stackName });
    this.deployment = deployment;
    const { fileSystem, removalPolicy, customerManagedKey, vpcCidr, volumeConsumers } = deployment;
    const encryptionKey = customerManagedKey ? customerKey(this, removalPolicy) : undefined;
    const data = { removalPolicy, encryptionKey };
    const records = new Records(this, "Records", data);
    const bucket = imagesBucket(this, data);
    const configuration = readConfiguration(this.node, fileSystem);
    const { glance } = configuration.imageServices;
    const readsSecrets = glance !== undefined && Object.keys(secretsOf(glance.auth)).length > 0;
    const storageProps = { ...data, vpcCidr, readsSecrets, volumeConsumers };
    const storage = fileSystem === "efs" ? new Storage(this, "Storage", storageProps) : undefined;

    const messaging = new Messaging(this, "Messaging", encryptionKey);
    const { blockStorageApi } = configuration;
    if (blockStorageApi?.auth === "noauth" && props.onThisMachine !== true) {
      throw new InvalidInput(
        "blockStorageApi: noauth makes every caller an administrator; it is for the embedded cloud only",
      );
    }
    const functions = new Functions(this, "Functions", {
      codeOf: props.codeOf,
      filesOf: (name) => (usesBackends(name) ? { [BACKENDS_FILE]: JSON.stringify(configuration.backends) } : {}),
      omitted: blockStorageApi === null ? ["BlockStorageApi"] : [],
      storageOptions: storage?.functionOptions() ?? {},
      asynchronousOptions: (name) => ({ deadLetterQueue: messaging.eventsDeadLetterQueue, ...retriesOf(name) }),
      ...data,
    });
    const parts = {
      functions,
      records,
      messaging,
      imagesBucket: bucket,
      configuration,
      encryptionKey,
      fileSystemExport: storage?.consumersAccessPointId === undefined ? undefined : exportOf(storage.fileSystem),
    };
    wireFunctions(parts);
    if (storage !== undefined) {
      warnOfGlanceOutOfReach(this, parts.configuration.imageServices);
    }
    const { audit, timeBounds } = parts.configuration;
    applyTimeBounds(timeBounds, functions, [messaging.schedulerQueue, messaging.schedulerDeadLetterQueue]);
    const workflow = new Workflow(this, "Workflow", functions, { ...data, ...deployment });
    wireWorkflow(parts, workflow);
    const source = new SqsEventSource(messaging.schedulerQueue, {
      batchSize: SCHEDULER_BATCH_SIZE,
      maxConcurrency: SCHEDULER_CONCURRENCY,
      reportBatchItemFailures: true,
    });
    functions.get("ScheduleVolume").addEventSource(source);
    acknowledge(functions.get("ScheduleVolume"), {
      "Serverless-LambdaEventSourceMappingDestination":
        "A queue has no failure destination but its dead-letter queue, which this one has",
    });
    functions.get("KeepDeadLetters").addEventSource(
      new SqsEventSource(messaging.schedulerDeadLetterQueue, {
        batchSize: DEAD_LETTER_BATCH_SIZE,
        maxConcurrency: DEAD_LETTER_CONCURRENCY,
        reportBatchItemFailures: true,
      }),
    );
    acknowledge(functions.get("KeepDeadLetters"), {
      "Serverless-LambdaEventSourceMappingDestination":
        "A message that it cannot store stays in its queue, which is the dead-letter queue, and comes again",
    });
    new Nets(this, "Nets", {
      functions,
      workflow,
      deadLetterQueue: messaging.eventsDeadLetterQueue,
      audit,
      timeBounds,
    });
    const watched = { functions, messaging, workflow, timeBounds };
    new Observability(this, "Observability", { ...watched, encryptionKey, ...deployment });

    const api =
      blockStorageApi === null
        ? undefined
        : new BlockStorageApi(this, "BlockStorageApi", {
            functions,
            configuration,
            options: blockStorageApi,
            ...data,
          });
    const outputs: Record<string, string> = {
      ...(api !== undefined && { BlockStorageApiUrl: api.url }),
      SchedulerQueueUrl: messaging.schedulerQueue.queueUrl,
      SchedulerDeadLetterQueueUrl: messaging.schedulerDeadLetterQueue.queueUrl,
      StateMachineArn: workflow.stateMachine.stateMachineArn,
      NotificationsTopicArn: messaging.notificationsTopic.topicArn,
      VolumesTableName: records.volumes.tableName,
      SnapshotsTableName: records.snapshots.tableName,
      VolumeTypesTableName: records.volumeTypes.tableName,
      BackendsTableName: records.backends.tableName,
      ClaimsTableName: records.claims.tableName,
      LocksTableName: records.locks.tableName,
      DeadLettersTableName: records.deadLetters.tableName,
      ImageCacheTableName: records.imageCache.tableName,
      ProjectsTableName: records.projects.tableName,
      ImagesBucketName: bucket.bucketName,
      BackendHosts: parts.configuration.backends.map(({ host }) => host).join(","),
      ServiceDownSeconds: String(parts.configuration.scheduler.service_down_time),
      DefaultImageService: parts.configuration.imageServices.default,
      ...(storage?.consumersAccessPointId !== undefined && {
        VolumeConsumersAccessPointId: storage.consumersAccessPointId,
      }),
      ...Object.fromEntries(
        CALLED_BY_CLIENTS.map((name) => [`${name}FunctionName`, functions.get(name).functionName] as const),
      ),
    };
    for (const [name, value] of Object.entries(outputs)) {
      new CfnOutput(this, name, { value });
    }
  }
}
