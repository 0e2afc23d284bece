import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SFNClient } from "@aws-sdk/client-sfn";
import { SNSClient } from "@aws-sdk/client-sns";
import { SQSClient } from "@aws-sdk/client-sqs";
import { createDrivers } from "../../adapters/drivers.ts";
import { DynamoDbAuditRepository } from "../../adapters/dynamodb/audit-repository.ts";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { DynamoDbDeadLetterRepository } from "../../adapters/dynamodb/dead-letter-repository.ts";
import { DynamoDbImageCacheRepository } from "../../adapters/dynamodb/image-cache-repository.ts";
import { DynamoDbLockRepository } from "../../adapters/dynamodb/lock-repository.ts";
import { DynamoDbProjectRepository } from "../../adapters/dynamodb/project-repository.ts";
import { DynamoDbSnapshotRepository } from "../../adapters/dynamodb/snapshot-repository.ts";
import { StoreClock } from "../../adapters/dynamodb/store-clock.ts";
import { DynamoDbUserVolumes } from "../../adapters/dynamodb/user-volumes.ts";
import { DynamoDbVolumeRepository } from "../../adapters/dynamodb/volume-repository.ts";
import { DynamoDbVolumeTypeRepository } from "../../adapters/dynamodb/volume-type-repository.ts";
import { exportedBackends } from "../../adapters/file/exported-backends.ts";
import { createImageServices, glanceOfCaller } from "../../adapters/images.ts";
import { KeystoneAuthenticator } from "../../adapters/keystone/authenticator.ts";
import { RemoteConnections } from "../../adapters/lambda/connections.ts";
import { LambdaWorkStarter } from "../../adapters/lambda/work-starter.ts";
import { lambdaDriverCaller } from "../../adapters/lambda/driver-caller.ts";
import { createRemoteDrivers } from "../../adapters/lambda/remote-drivers.ts";
import { S3ImageService } from "../../adapters/s3/image-service.ts";
import { EnvironmentSecrets } from "../../adapters/secrets/environment.ts";
import { SecretsManagerSecrets } from "../../adapters/secrets/secrets-manager.ts";
import { SfnWorkflowStarter } from "../../adapters/sfn/workflow-starter.ts";
import { SnsNotifier } from "../../adapters/sns/notifier.ts";
import { SqsSchedulerQueue } from "../../adapters/sqs/scheduler-queue.ts";
import { unlogged } from "../../adapters/unlogged.ts";
import { type Authenticator, NO_AUTHENTICATION } from "../../core/api/authentication.ts";
import type { ApiDependencies } from "../../core/api/dependencies.ts";
import { DEFAULT_TYPE_NAME } from "../../core/api/types/default-type.ts";
import { parseApiEnvironment } from "../../core/api/options.ts";
import { type Backend, readDeployedBackends, zonesOf } from "../../core/backends/backends.ts";
import type { ImageServices } from "../../core/drivers/driver-ports.ts";
import { InvalidInput } from "../../core/errors.ts";
import { parseImageServices } from "../../core/images/image-services.ts";
import { imageCacheOf, settingsByHost } from "../../core/image-cache/image-cache.ts";
import { notificationEra } from "../../core/notifications/notifications.ts";
import type { Secrets } from "../../core/ports.ts";
import { type MembershipDependencies, membershipOf, type ProjectMembership } from "../../core/volumes/leave-project.ts";
import { backendView } from "../../core/scheduling/backend-view.ts";
import { type SchedulerSettings, schedulerSettings } from "../../core/scheduling/settings.ts";
import { BACKENDS_FILE, ENVIRONMENT, LOCAL_SECRETS } from "../../core/settings/environment.ts";
import type { GivenUpCalls } from "../../core/backends/limited-drivers.ts";
import { parsePhaseBounds, type PhaseBounds, SHORT_FUNCTION_TIMEOUT_SECONDS } from "../../core/settings/time-bounds.ts";
import { environmentVariable } from "./environment.ts";
import { made, port, type Repositories } from "./ports.ts";

/**
 * The composition root: the only place that knows concrete adapters. Each function below creates its adapter once in the life of the
 * execution environment. The bundler removes adapters that a Lambda does not use.
 */

/** Calls a factory once. */
function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

function repository<Name extends keyof Repositories, Repository extends Partial<Repositories[Name]>>(
  name: Name,
  make: () => Repository,
) {
  return port(name, once(make));
}

/** See {@link StoreClock}. */
export const clock = /* @__PURE__ */ new StoreClock({ now: () => new Date() });

const dynamodb = /* @__PURE__ */ once(() => clock.follow(unlogged(new DynamoDBClient({}))));
/** The endpoint decides the destination of a call, as for every other service, not the host of the queue's URL. */
const sqs = /* @__PURE__ */ once(() => unlogged(new SQSClient({ useQueueUrlAsEndpoint: false })));

export const volumes = /* @__PURE__ */ repository(
  "volumes",
  () => new DynamoDbVolumeRepository({ client: dynamodb(), tableName: environmentVariable("volumesTable"), clock }),
);

/** The same table with the methods that requests of users need, for the API's bundle. */
export const userVolumes = /* @__PURE__ */ repository(
  "volumes",
  () => new DynamoDbUserVolumes({ client: dynamodb(), tableName: environmentVariable("volumesTable"), clock }),
);

export const snapshots = /* @__PURE__ */ repository(
  "snapshots",
  () => new DynamoDbSnapshotRepository({ client: dynamodb(), tableName: environmentVariable("snapshotsTable") }),
);

/** Locks on sources. */
export const locks = /* @__PURE__ */ repository(
  "locks",
  () => new DynamoDbLockRepository({ client: dynamodb(), tableName: environmentVariable("locksTable") }),
);

export const volumeTypes = /* @__PURE__ */ repository(
  "volumeTypes",
  () => new DynamoDbVolumeTypeRepository({ client: dynamodb(), tableName: environmentVariable("volumeTypesTable") }),
);

export const backends = /* @__PURE__ */ repository(
  "backends",
  () =>
    new DynamoDbBackendRepository({
      client: dynamodb(),
      // Each function knows the tables that it may use: one that only settles claims does not know that of the backends.
      tableName: process.env[ENVIRONMENT.backendsTable] ?? "",
      claimsTableName: process.env[ENVIRONMENT.claimsTable] ?? "",
      clock,
    }),
);

export const projects = /* @__PURE__ */ repository(
  "projects",
  () => new DynamoDbProjectRepository({ client: dynamodb(), tableName: environmentVariable("projectsTable"), clock }),
);

export const audits = /* @__PURE__ */ repository(
  "audits",
  () => new DynamoDbAuditRepository({ client: dynamodb(), tableName: environmentVariable("projectsTable") }),
);

/** The effects of removing a volume's record on its project. */
export function membership(ports: {
  [Name in "projects" | "volumes"]: { make: () => MembershipDependencies[Name] };
}): ProjectMembership {
  return membershipOf({ projects: ports.projects.make(), volumes: ports.volumes.make(), clock });
}

export const deadLetters = /* @__PURE__ */ repository(
  "deadLetters",
  () => new DynamoDbDeadLetterRepository({ client: dynamodb(), tableName: environmentVariable("deadLettersTable") }),
);

let candidatesOfProcess: ReturnType<typeof backendView> | undefined;

/** The candidates of the scheduler, remembered for the life of the process. */
export function candidates(ports: { backends: { make: () => Parameters<typeof backendView>[0] } }) {
  return (candidatesOfProcess ??= backendView(ports.backends.make(), clock));
}

export const queue = /* @__PURE__ */ once(
  () =>
    new SqsSchedulerQueue({
      client: sqs(),
      queueUrl: environmentVariable("schedulerQueueUrl"),
      deadLetterQueueUrl: environmentVariable("schedulerDeadLetterQueueUrl"),
    }),
);

export const notifier = /* @__PURE__ */ once(
  () =>
    new SnsNotifier({
      client: unlogged(new SNSClient({})),
      topicArn: environmentVariable("notificationsTopicArn"),
      era: notificationEra(environmentVariable("notificationEra")),
    }),
);

export const workflow = /* @__PURE__ */ once(
  () =>
    new SfnWorkflowStarter({
      client: unlogged(new SFNClient({})),
      stateMachineArn: environmentVariable("stateMachineArn"),
    }),
);

const deployedBackends = /* @__PURE__ */ once(() => readDeployedBackends(readJsonFile(BACKENDS_FILE)));

export const configuredBackends = (): Backend[] => deployedBackends().backends;

export const drivers = /* @__PURE__ */ once(() => {
  const backendsOfHosts = exportedBackends(configuredBackends(), process.env[ENVIRONMENT.fileSystemExport]);
  return createDrivers(backendsOfHosts, deployedBackends().unusable);
});

/** Calls to backends that this process has given up, and that have not returned: see {@link limitDrivers}. */
export const givenUpCalls = /* @__PURE__ */ once((): GivenUpCalls => new Map());

const lambda = /* @__PURE__ */ once(() => unlogged(new LambdaClient({})));

const callDriver = /* @__PURE__ */ once(() =>
  lambdaDriverCaller({
    client: lambda(),
    functionName: environmentVariable("callDriverFunction"),
    timeoutMs: SHORT_FUNCTION_TIMEOUT_SECONDS * 1000,
  }),
);

/** The same drivers for a function that cannot reach the backends itself: see {@link RemoteDriver}. */
export const remoteDrivers = /* @__PURE__ */ once(() =>
  createRemoteDrivers(configuredBackends(), deployedBackends().unusable, callDriver()),
);

export const imageCacheEntries = /* @__PURE__ */ repository(
  "imageCache",
  () => new DynamoDbImageCacheRepository({ client: dynamodb(), tableName: environmentVariable("imageCacheTable") }),
);

const imageCacheSettings = /* @__PURE__ */ once(() => settingsByHost(configuredBackends()));

/** Undefined, and none of the ports made, if no backend enables it. */
export function imageCache<Ports extends Parameters<typeof made>[0]>(ports: Ports) {
  return imageCacheOf(imageCacheSettings(), () => made(ports));
}

const imageServicesOptions = /* @__PURE__ */ once(() => parseImageServices(readJson("imageServices", "{}")));

export const images = /* @__PURE__ */ once(() => {
  const bucket = environmentVariable("imagesBucket");
  const service = new S3ImageService(unlogged(new S3Client({})), bucket);
  const { glance: options, default: defaultService } = imageServicesOptions();
  const glance = options === undefined ? undefined : { options, secrets: secrets(), clock };
  return createImageServices({ bucket, service }, glance, defaultService);
});

/**
 * Glance as a caller of the API sees it, where it takes the tokens that the API takes. No other image service is asked by the API, whose bundle
 * has the SDK of none.
 */
function imagesOfCaller(token: string | undefined): ImageServices | undefined {
  const { glance, default: defaultService } = imageServicesOptions();
  const takesTokens = glance !== undefined && !["none", "trusted_headers"].includes(glance.auth.type);
  return takesTokens &&
    defaultService === "glance" &&
    token !== undefined &&
    apiEnvironment().options.auth === "keystone"
    ? glanceOfCaller(glance, token)
    : undefined;
}

const secrets = /* @__PURE__ */ once((): Secrets => {
  const local = process.env[LOCAL_SECRETS];
  return local === undefined
    ? new SecretsManagerSecrets(unlogged(new SecretsManagerClient({})), clock)
    : new EnvironmentSecrets(local);
});

export const settings = /* @__PURE__ */ once((): SchedulerSettings =>
  schedulerSettings(readJson("schedulerSettings") as Partial<SchedulerSettings>),
);

/** The deployment's own bounds, for writers of deadlines; empty if it has the published ones. */
export const bounds = /* @__PURE__ */ once((): { phaseBounds?: PhaseBounds } => {
  const text = process.env[ENVIRONMENT.phaseBounds];
  return text === undefined || text === "" ? {} : { phaseBounds: parsePhaseBounds(text) };
});

/** Ids of requests and volumes. */
export const newId = (): string => randomUUID();

const apiEnvironment = /* @__PURE__ */ once(() => parseApiEnvironment(environmentVariable("blockStorageApi")));

/** The authentication of the API's requests. */
export const authenticator = /* @__PURE__ */ once((): Authenticator => {
  const { options } = apiEnvironment();
  return options.auth === "noauth"
    ? NO_AUTHENTICATION
    : new KeystoneAuthenticator({ authUrl: options.auth_url, publicUrl: options.www_authenticate_uri, clock });
});

/** The ports of the API, but its repositories. */
export const api = /* @__PURE__ */ once((): Omit<ApiDependencies, keyof Repositories> => ({
  connections: new RemoteConnections(callDriver()),
  imagesFor: imagesOfCaller,
  queue: queue(),
  work: new LambdaWorkStarter({ client: lambda(), functions: apiEnvironment().functions }),
  clock,
  newId,
  zones: zonesOf(configuredBackends()),
  defaultVolumeType: apiEnvironment().options.default_volume_type ?? DEFAULT_TYPE_NAME,
  serviceDownSeconds: apiEnvironment().service_down_seconds,
}));

function readJson(key: "schedulerSettings" | "imageServices", absent?: string): unknown {
  const value = absent === undefined ? environmentVariable(key) : (process.env[ENVIRONMENT[key]] ?? absent);
  try {
    return JSON.parse(value);
  } catch {
    throw new InvalidInput(`${key} in the environment is not valid JSON`);
  }
}

/** A file that the stack has put next to the function's code. */
function readJsonFile(name: string): unknown {
  const file = path.join(process.env["LAMBDA_TASK_ROOT"] ?? "", name);
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new InvalidInput(`${file} in the function's code cannot be read: ${(error as Error).message}`);
  }
}
