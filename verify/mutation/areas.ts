/** Source files that are changed together, and the tests that must notice. Globs, relative to the repository. */
export type Area = { sources: readonly string[]; tests: readonly string[] };

/** A comment that breaks a rule of prose would end the run before anything is changed. */
const UNIT = "test/unit/!(prose).test.ts";

/** The areas by name. */
export const AREAS = {
  claims: {
    sources: [
      "core/claims.ts",
      "core/scheduling/claim-backend.ts",
      "core/attempt/close-claim.ts",
      "core/nets/sweep-*.ts",
    ],
    tests: [UNIT],
  },
  tasks: {
    sources: [
      "core/{workflow,attempt,nets,dead-letters,volumes,snapshots,image-cache,backends,drivers}/**/*.ts",
      "core/fault.ts",
      "core/spec.ts",
      "core/settings/time-bounds.ts",
    ],
    tests: [UNIT],
  },
  scheduling: { sources: ["core/scheduling/**/*.ts"], tests: [UNIT] },
  audit: { sources: ["core/audit/**/*.ts"], tests: [UNIT] },
  messages: {
    sources: [
      "core/requests/messages.ts",
      "core/notifications/notifications.ts",
      "core/text/secrets.ts",
      "core/dead-letters/dead-letters.ts",
      "core/requests/create-request.ts",
      "core/images/image-services.ts",
    ],
    tests: [
      "test/unit/{message,secret,adapters-secrets,notif,truncate,foreign,create-request,image-serv}*.test.ts",
      "test/unit/{task-receive,task-keep,lambda-keep,lambda-schedule}*.test.ts",
    ],
  },
  images: {
    sources: ["core/images/**/*.ts"],
    tests: [
      "test/unit/{image,images,qcow2}-*.test.ts",
      "test/integration/qcow2-round-trip.test.ts",
      "test/integration/driver-copy-image.test.ts",
    ],
  },
  "file-driver": {
    sources: ["adapters/file/**/*.ts"],
    tests: [
      "test/unit/drivers*.test.ts",
      "test/unit/decompress.test.ts",
      "test/integration/{driver-*,image-check}.test.ts",
    ],
  },
  dynamodb: {
    sources: ["adapters/dynamodb/**/*.ts"],
    tests: ["test/unit/adapters-dynamodb.test.ts", "test/integration/repositories-*.test.ts"],
  },
  statemachine: { sources: ["statemachine/**/*.ts"], tests: ["test/statemachine/**/*.test.ts"] },
  infra: { sources: ["infra/**/*.ts"], tests: ["test/infra/**/*.test.ts"] },
  "command-line": { sources: ["cli/**/*.ts"], tests: ["test/unit/cli-*.test.ts"] },
} as const satisfies Record<string, Area>;

/** One of {@link AREAS}. */
export type AreaName = keyof typeof AREAS;
