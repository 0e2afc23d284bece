import { type FunctionName, FUNCTIONS, type TaskFunctionName } from "../../core/settings/functions.ts";

/** Billed quantities, each in its own unit; the keys are those of the price file. */
export type Work = {
  state_transition: number;
  lambda_request: number;
  lambda_gib_second: number;
  dynamodb_write_unit: number;
  dynamodb_read_unit: number;
  sqs_request: number;
  sns_publish: number;
  s3_get: number;
  efs_written_gib: number;
  efs_read_gib: number;
};

/** One billed quantity. */
export type PricedUnit = keyof Work;

/** One line of a receipt: the work of a step. */
export type Step = { step: string; times: number; work: Work };

/** The requests of one invocation of a function. */
export type Requests = Partial<
  Pick<Work, "dynamodb_write_unit" | "dynamodb_read_unit" | "sqs_request" | "sns_publish" | "s3_get">
>;

/**
 * The requests of one successful invocation, as the bench counts them (`npm run bench -- calls`); a test compares the sum of a raw create
 * with that count. A record fits one unit of writing. A write that changes the deadline also writes the sparse index: one unit where it
 * sets or removes an entry, two where it moves one.
 */
export const REQUESTS: Readonly<Record<TaskFunctionName | "ScheduleVolume", Requests>> &
  Partial<Record<FunctionName, Requests>> = {
  // Claim and host with the ledger; the index's entry moves. The message is received and deleted in batches of at most ten.
  ScheduleVolume: { dynamodb_read_unit: 1, dynamodb_write_unit: 4, sqs_request: 2 },
  ExtractVolumeRef: { dynamodb_read_unit: 1 },
  ExtractVolumeSpec: {},
  NotifyCreateStart: { sns_publish: 1 },
  CreateRawVolume: { dynamodb_write_unit: 3 },
  CreateVolumeFromSnapshot: { dynamodb_read_unit: 1, dynamodb_write_unit: 4 },
  CreateClonedVolume: { dynamodb_read_unit: 1, dynamodb_write_unit: 4 },
  CloneImage: { dynamodb_write_unit: 3 },
  CreateVolumeForImage: { dynamodb_write_unit: 4 },
  CheckBackend: { dynamodb_read_unit: 1, dynamodb_write_unit: 3 },
  // Progress is kept when a turn begins and when it ends; the index's entry moves.
  CopyImageToVolume: { dynamodb_read_unit: 1, dynamodb_write_unit: 6, s3_get: 1 },
  HandleBootableVolume: { dynamodb_write_unit: 1 },
  CreateVolumeOnFinish: { dynamodb_write_unit: 3, sns_publish: 1 },
  RescheduleVolume: { dynamodb_read_unit: 1, dynamodb_write_unit: 4, sqs_request: 1 },
  ErrorOutVolume: { dynamodb_read_unit: 1, dynamodb_write_unit: 3, sns_publish: 1 },
};

/**
 * The requests that the source of a volume adds to the functions' own, by the state that makes them: the image's metadata are read for the
 * spec and for its location; a source gets a lock, which is counted on the source, and removed.
 */
export const SOURCE_REQUESTS: Readonly<Record<string, { step: string; requests: Requests }>> = {
  CloneImage: { step: "image metadata", requests: { s3_get: 2 } },
  CreateVolumeFromSnapshot: { step: "lock of the snapshot", requests: { dynamodb_write_unit: 3 } },
  CreateClonedVolume: { step: "lock of the source", requests: { dynamodb_write_unit: 3 } },
};

/** Units of the index among the writes of a raw create, which an emulator does not count. */
export const INDEX_UNITS_OF_A_RAW_CREATE = 5;

const NO_WORK: Work = {
  state_transition: 0,
  lambda_request: 0,
  lambda_gib_second: 0,
  dynamodb_write_unit: 0,
  dynamodb_read_unit: 0,
  sqs_request: 0,
  sns_publish: 0,
  s3_get: 0,
  efs_written_gib: 0,
  efs_read_gib: 0,
};

/** Work with only these quantities. */
export function workOf(parts: Partial<Work>): Work {
  return { ...NO_WORK, ...parts };
}

/** The steps of {@link SOURCE_REQUESTS} for the states of a create. */
export function sourceSteps(states: readonly string[], times: number): Step[] {
  return Object.entries(SOURCE_REQUESTS)
    .filter(([state]) => states.includes(state))
    .map(([, { step, requests }]) => ({ step, times, work: workOf(requests) }));
}

/** The sum of works. */
export function addWork(works: readonly Work[]): Work {
  const sum = { ...NO_WORK };
  for (const work of works) {
    for (const unit of Object.keys(sum) as PricedUnit[]) {
      sum[unit] += work[unit];
    }
  }
  return sum;
}

/** `times` times the same work. */
export function timesWork(work: Work, times: number): Work {
  const product = { ...NO_WORK };
  for (const unit of Object.keys(product) as PricedUnit[]) {
    product[unit] = work[unit] * times;
  }
  return product;
}

/** One invocation: its request, its memory for the duration, and the requests that it makes. */
export function invocation(name: FunctionName, milliseconds: number): Work {
  return workOf({
    ...REQUESTS[name],
    lambda_request: 1,
    lambda_gib_second: (FUNCTIONS[name].memoryMib / 1024) * (milliseconds / 1000),
  });
}
