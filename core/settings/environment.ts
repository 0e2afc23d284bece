/**
 * Names shared by the stack and the functions: environment variables, indexes and message attributes. Declared once, used by the construct
 * that sets them and by the code that reads them.
 */

/** Names of the environment variables that the functions read. */
export const ENVIRONMENT = {
  volumesTable: "VOLUMES_TABLE",
  snapshotsTable: "SNAPSHOTS_TABLE",
  volumeTypesTable: "VOLUME_TYPES_TABLE",
  backendsTable: "BACKENDS_TABLE",
  claimsTable: "CLAIMS_TABLE",
  locksTable: "LOCKS_TABLE",
  projectsTable: "PROJECTS_TABLE",
  deadLettersTable: "DEAD_LETTERS_TABLE",
  imageCacheTable: "IMAGE_CACHE_TABLE",
  schedulerQueueUrl: "SCHEDULER_QUEUE_URL",
  schedulerDeadLetterQueueUrl: "SCHEDULER_DEAD_LETTER_QUEUE_URL",
  notificationsTopicArn: "NOTIFICATIONS_TOPIC_ARN",
  /** `icehouse` or `zed`: see `core/notifications/notifications.ts`. */
  notificationEra: "NOTIFICATION_ERA",
  imagesBucket: "IMAGES_BUCKET",
  /** JSON object of image services, where there are others than the bucket: see `core/images/image-services.ts`. */
  imageServices: "IMAGE_SERVICES",
  stateMachineArn: "STATE_MACHINE_ARN",
  /** JSON object `{ mount_point, export }`: the mounted file system as other hosts mount it. */
  fileSystemExport: "FILE_SYSTEM_EXPORT",
  /** Function that calls drivers for functions outside the network of the file system. */
  callDriverFunction: "CALL_DRIVER_FUNCTION",
  /** JSON object of scheduler settings: see `core/scheduling`. */
  schedulerSettings: "SCHEDULER_SETTINGS",
  /** JSON object of the phases' bounds in seconds: see `core/settings/time-bounds.ts`. */
  phaseBounds: "PHASE_BOUNDS",
  /** JSON object with the configuration of the Block Storage API: see `core/api/options.ts`. */
  blockStorageApi: "BLOCK_STORAGE_API",
} as const;

/** A key of {@link ENVIRONMENT}. */
export type EnvironmentKey = keyof typeof ENVIRONMENT;

/**
 * File of the backends in a function's code: a JSON array as `core/backends/backends.ts` describes it. An environment has 4 KiB in total, which
 * some ten backends fill.
 */
export const BACKENDS_FILE = "backends.json";

/**
 * Secrets by name, as a JSON object: in place of Secrets Manager, where there is none. Never set by the stack; the embedded cloud
 * hands it to the functions.
 */
export const LOCAL_SECRETS = "CINDERLESS_SECRETS";

/** Indexes of the tables. */
export const INDEXES = {
  /** Volumes in the flow by deadline: sparse, partition key `in_flow` (always "y"), sort key `deadline`, keys only. */
  volumesByDeadline: "by_deadline",
  /** Snapshots that are being taken or deleted by deadline: as `volumesByDeadline`. */
  snapshotsByDeadline: "by_deadline",
  /** Snapshots by `volume_id`. */
  snapshotsByVolume: "by_volume",
  /** Claims that are open, by `open_since`: sparse and local, because a report needs it read consistently. */
  openClaims: "open",
  /** Volume types by `name`. */
  volumeTypesByName: "by_name",
  /** Entries of a project's list by `display_name`: a local index, which can be read consistently. */
  projectEntriesByName: "by_name",
} as const;

/** SNS message attributes, for filter policies; SQS attribute of a dead letter. */
export const MESSAGE_ATTRIBUTES = {
  eventType: "event_type",
  priority: "priority",
  projectId: "project_id",
  reason: "reason",
} as const;
