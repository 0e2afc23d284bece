/**
 * The metrics of the product by name, once for the functions that write them and for the alarms and the dashboard that read them.
 * They are written into the functions' logs in CloudWatch's embedded metric format, so none costs a call; dimensions are few,
 * because each combination is a metric that is paid for.
 */

/** Namespace of every metric. */
export const METRICS_NAMESPACE = "Cinderless";

/** Names of the metrics; all are counts but for the units that their names say. */
export const METRICS = {
  /** Creates that ended, by dimension `outcome`: available, error, rescheduled. */
  creates: "Creates",
  /** Milliseconds from the first scheduling to `available`. */
  createDuration: "CreateDurationMilliseconds",
  /** Failures by dimension `route`: final, reschedulable, uncertain. */
  failures: "Failures",
  reschedules: "Reschedules",
  sweptVolumes: "SweptVolumes",
  deadLetters: "DeadLetters",
  /** Backends that a report run could not take a report of; written by each run, also when it is 0. */
  unreportedBackends: "UnreportedBackends",
  /** Creates that ended in `error` at scheduling: no backend was found, or the request cannot be scheduled. */
  unscheduledCreates: "UnscheduledCreates",
  /** Findings of the audit, by dimension `backend`. */
  orphans: "Orphans",
  missingVolumes: "MissingVolumes",
  damagedVolumes: "DamagedVolumes",
  suspects: "Suspects",
  leftovers: "Leftovers",
  reaped: "Reaped",
  /** Records that the audit could not read. */
  unreadableRecords: "UnreadableRecords",
  /** Creates on a backend with an image-volume cache: cloned from it, or downloaded. A turn that is repeated counts again. */
  imageCacheHits: "ImageCacheHits",
  imageCacheMisses: "ImageCacheMisses",
  /** Cached images that were taken away, for another one or by the sweep. */
  imageCacheEvictions: "ImageCacheEvictions",
} as const;

/** A key of {@link METRICS}. */
export type MetricName = keyof typeof METRICS;
