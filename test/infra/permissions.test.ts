import { describe, expect, it } from "vitest";
import { FUNCTION_NAMES, type FunctionName, TASK_NAMES, fileNameOf } from "../../core/settings/functions.ts";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";
import { type Statement, statementsOf } from "../support/iam.ts";

/** Allowed actions of each function, by resource. Nothing else is granted to any of them. */

const READ = ["dynamodb:GetItem"];
const UPDATE = ["dynamodb:GetItem", "dynamodb:UpdateItem"];
const REMOVE = ["dynamodb:DeleteItem", ...UPDATE];
/** A claim of a scheduling that died may be on any backend. */
const CLAIMS = ["dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"];
/** The end of a removal gives the quota back and takes the volume off its project's list. */
const LEAVE = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"];
/** Closing claims, each in an item of its own. */
const CLAIM_ITEMS = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"];
/** The same, for functions that also look for claims. */
const FIND_CLAIM_ITEMS = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"];
/** Locks on sources: an item for each. */
const LOCK = ["dynamodb:DeleteItem", "dynamodb:PutItem"];
const UNLOCK = ["dynamodb:DeleteItem"];
/** The same for functions that ask whether a source is in use; those of an earlier release become items then. */
const JUDGE_LOCKS = [...LOCK, "dynamodb:Query"];
const IMAGES = ["s3:GetObject", "s3:ListBucket"];
const SEND = ["sqs:SendMessage"];
const CONSUME = [
  "sqs:ChangeMessageVisibility",
  "sqs:DeleteMessage",
  "sqs:GetQueueAttributes",
  "sqs:GetQueueUrl",
  "sqs:ReceiveMessage",
];
/** The drivers of functions that also send or publish. */
const CALL_DRIVER = { CallDriver: ["lambda:InvokeFunction"] };
const NOTIFY = { Topic: ["sns:Publish"] };

const ALLOWED: Record<FunctionName, Record<string, string[]>> = {
  ExtractVolumeRef: { Volumes: READ },
  ExtractVolumeSpec: { Volumes: UPDATE, Snapshots: UPDATE, Locks: LOCK, Images: IMAGES },
  NotifyCreateStart: NOTIFY,
  CreateRawVolume: { Volumes: UPDATE },
  CreateVolumeFromSnapshot: { Volumes: UPDATE, Snapshots: READ },
  CreateClonedVolume: { Volumes: UPDATE },
  CloneImage: { Volumes: UPDATE, Images: IMAGES },
  CreateVolumeForImage: { Volumes: UPDATE },
  CheckBackend: { Volumes: UPDATE, Snapshots: READ, Images: IMAGES },
  CopyImageToVolume: { Volumes: UPDATE, Images: IMAGES },
  HandleBootableVolume: { Volumes: UPDATE, Snapshots: READ },
  CreateVolumeOnFinish: { Volumes: UPDATE, Locks: UNLOCK, Claims: ["dynamodb:UpdateItem"], ...NOTIFY },
  RescheduleVolume: { Volumes: UPDATE, Backends: UPDATE, Queue: SEND, ...CALL_DRIVER, Claims: CLAIM_ITEMS },
  ErrorOutVolume: {
    Volumes: REMOVE,
    Locks: UNLOCK,
    Backends: CLAIMS,
    Claims: CLAIM_ITEMS,
    Projects: LEAVE,
    ...CALL_DRIVER,
    ...NOTIFY,
  },
  ScheduleVolume: {
    Volumes: ["dynamodb:BatchGetItem", ...REMOVE],
    Snapshots: READ,
    Locks: UNLOCK,
    VolumeTypes: READ,
    Backends: CLAIMS,
    Claims: FIND_CLAIM_ITEMS,
    Projects: LEAVE,
    Queue: CONSUME,
    DeadLetterQueue: SEND,
    StateMachine: ["states:StartExecution"],
    ...NOTIFY,
  },
  ErrorOutFailedExecution: {
    EventsDeadLetterQueue: SEND,
    Volumes: REMOVE,
    Locks: UNLOCK,
    Backends: CLAIMS,
    Claims: FIND_CLAIM_ITEMS,
    Projects: LEAVE,
    ...CALL_DRIVER,
    ...NOTIFY,
  },
  SweepOverdueVolumes: {
    EventsDeadLetterQueue: SEND,
    Volumes: [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ],
    Snapshots: [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ],
    Locks: JUDGE_LOCKS,
    Backends: CLAIMS,
    Claims: FIND_CLAIM_ITEMS,
    Projects: LEAVE,
    ...CALL_DRIVER,
    ...NOTIFY,
  },
  KeepDeadLetters: {
    DeadLetters: ["dynamodb:GetItem", "dynamodb:PutItem"],
    Volumes: REMOVE,
    Locks: UNLOCK,
    Backends: CLAIMS,
    Claims: CLAIM_ITEMS,
    Projects: LEAVE,
    DeadLetterQueue: CONSUME,
    ...NOTIFY,
  },
  ReportBackends: {
    EventsDeadLetterQueue: SEND,
    Backends: UPDATE,
    Claims: ["dynamodb:BatchGetItem", "dynamodb:Query"],
  },
  CreateSnapshot: {
    Volumes: UPDATE,
    Snapshots: ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
    Projects: ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
    Locks: LOCK,
  },
  DeleteSnapshot: {
    Volumes: ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"],
    Snapshots: ["dynamodb:BatchGetItem", ...REMOVE],
    Locks: JUDGE_LOCKS,
    Projects: LEAVE,
  },
  DeleteVolume: {
    Volumes: ["dynamodb:BatchGetItem", ...REMOVE],
    Snapshots: [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ],
    Locks: JUDGE_LOCKS,
    Backends: CLAIMS,
    Claims: CLAIM_ITEMS,
    Projects: LEAVE,
  },
  BlockStorageApi: {
    Locks: JUDGE_LOCKS,
    Volumes: ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
    Snapshots: [
      "dynamodb:BatchGetItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ],
    VolumeTypes: [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ],
    CallDriver: ["lambda:InvokeFunction"],
    Backends: ["dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"],
    Claims: CLAIM_ITEMS,
    Projects: [
      "dynamodb:BatchGetItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:Query",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ],
    Queue: SEND,
    DeleteVolume: ["lambda:InvokeFunction"],
    ExtendVolume: ["lambda:InvokeFunction"],
    CreateSnapshot: ["lambda:InvokeFunction"],
    DeleteSnapshot: ["lambda:InvokeFunction"],
  },
  ExtendVolume: {
    Volumes: ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"],
    Snapshots: ["dynamodb:BatchGetItem", "dynamodb:UpdateItem"],
    Locks: JUDGE_LOCKS,
    VolumeTypes: READ,
    Backends: UPDATE,
    Claims: FIND_CLAIM_ITEMS,
    Projects: UPDATE,
  },
  AuditBackends: {
    EventsDeadLetterQueue: SEND,
    Volumes: ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"],
    Snapshots: ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"],
    Locks: [...LOCK, "dynamodb:Scan"],
    Backends: ["dynamodb:GetItem", "dynamodb:Scan"],
    Claims: ["dynamodb:BatchGetItem", "dynamodb:Query"],
    Projects: ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Scan", "dynamodb:UpdateItem"],
  },
  CallDriver: {},
};

/** Resources by the start of their logical ids. */
const RESOURCES: [string, string][] = [
  ["RecordsVolumesTable", "Volumes"],
  ["RecordsSnapshotsTable", "Snapshots"],
  ["RecordsVolumeTypesTable", "VolumeTypes"],
  ["RecordsBackendsTable", "Backends"],
  ["RecordsClaimsTable", "Claims"],
  ["RecordsLocksTable", "Locks"],
  ["RecordsDeadLettersTable", "DeadLetters"],
  ["RecordsImageCacheTable", "ImageCache"],
  ["RecordsProjectsTable", "Projects"],
  ["FunctionsDeleteVolume", "DeleteVolume"],
  ["FunctionsExtendVolume", "ExtendVolume"],
  ["FunctionsCreateSnapshot", "CreateSnapshot"],
  ["FunctionsDeleteSnapshot", "DeleteSnapshot"],
  ["ImagesBucket", "Images"],
  ["MessagingSchedulerQueue", "Queue"],
  ["MessagingSchedulerDeadLetterQueue", "DeadLetterQueue"],
  ["MessagingNotificationsTopic", "Topic"],
  ["MessagingEventsDeadLetterQueue", "EventsDeadLetterQueue"],
  ["WorkflowCreateVolume", "StateMachine"],
  ["FunctionsCallDriver", "CallDriver"],
];

/** Variables by the resource that they name, where a function that may use the one must know the other. */
const VARIABLES: Record<string, string> = {
  Volumes: "VOLUMES_TABLE",
  Snapshots: "SNAPSHOTS_TABLE",
  VolumeTypes: "VOLUME_TYPES_TABLE",
  Backends: "BACKENDS_TABLE",
  Claims: "CLAIMS_TABLE",
  Locks: "LOCKS_TABLE",
  DeadLetters: "DEAD_LETTERS_TABLE",
  ImageCache: "IMAGE_CACHE_TABLE",
  Projects: "PROJECTS_TABLE",
  Images: "IMAGES_BUCKET",
  Topic: "NOTIFICATIONS_TOPIC_ARN",
  StateMachine: "STATE_MACHINE_ARN",
  CallDriver: "CALL_DRIVER_FUNCTION",
};

const template = inlineTemplate({ fileSystem: "none" });
const resources = Object.entries(template.Resources);
const NAMES = FUNCTION_NAMES;

/** Every function may write its own log and send its traces, for which X-Ray has no resource. */
function isCommon(name: FunctionName, { Action, Resource }: Statement): boolean {
  const text = JSON.stringify({ Action, Resource });
  return (
    text === JSON.stringify({ Action: ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource: "*" }) ||
    new RegExp(
      `^{"Action":\\["logs:CreateLogStream","logs:PutLogEvents"\\],"Resource":{"Fn::GetAtt":\\["Functions${name}Logs`,
    ).test(text)
  );
}

function resourcesOf(statement: Statement): string[] {
  return [statement.Resource].flat().map((resource) => {
    const text = JSON.stringify(resource);
    const named = RESOURCES.filter(([id]) => new RegExp(`"${id}[0-9A-F]{8}"`).test(text));
    return named.length === 1 ? (named[0]?.[1] ?? "") : `not one resource: ${text}`;
  });
}

function environmentOf(name: FunctionName): Record<string, unknown> {
  const found = resources.find(([id, { Type }]) => Type === "AWS::Lambda::Function" && functionNameIn(id) === name);
  const { Variables = {} } = (found?.[1].Properties?.["Environment"] ?? {}) as { Variables?: Record<string, unknown> };
  return Variables;
}

describe.each(NAMES)("%s", (name) => {
  it("may do what it needs and nothing else", () => {
    const granted: Record<string, string[]> = {};
    for (const statement of statementsOf(template, name).filter((each) => !isCommon(name, each))) {
      expect(statement.Effect).toBe("Allow");
      for (const key of resourcesOf(statement)) {
        granted[key] = [...(granted[key] ?? []), statement.Action].flat().toSorted();
      }
    }
    expect(granted).toEqual(ALLOWED[name]);
  });

  it("knows the names of what it may use, and of nothing else", () => {
    const needed = Object.keys(ALLOWED[name]).flatMap((resource) => VARIABLES[resource] ?? []);
    const known = Object.keys(environmentOf(name)).filter((variable) => Object.values(VARIABLES).includes(variable));
    expect(known.toSorted()).toEqual(needed.toSorted());
  });

  it("has its file", async () => {
    expect(await import(`../../lambdas/${fileNameOf(name)}.ts`)).toHaveProperty("handler");
  });
});

/** Attributes of volumes that only the flow's own decisions write. */
const DECISIONS = ["status", "fence", "attempts", "fault", "bootable", "launched_at"];

describe("writes of tables", () => {
  const writes = (name: FunctionName): Statement[] =>
    statementsOf(template, name).filter(({ Action }) =>
      ["dynamodb:PutItem", "dynamodb:UpdateItem"].some((action) => [Action].flat().includes(action)),
    );
  const attributesOf = (name: FunctionName, table: string): readonly string[] =>
    writes(name)
      .filter((statement) => resourcesOf(statement).includes(table))
      .flatMap(({ Condition }) => Condition?.["ForAllValues:StringEquals"]?.["dynamodb:Attributes"] ?? []);

  it.each(NAMES)("of %s may name certain attributes only", (name) => {
    for (const { Action, Condition } of writes(name)) {
      // No unrestricted statement is next to it.
      expect([Action].flat()).toHaveLength(1);
      const attributes = [Condition?.["ForAllValues:StringEquals"]?.["dynamodb:Attributes"]].flat();
      expect(attributes.some((attribute) => ["id", "host", "project_id", "source"].includes(String(attribute)))).toBe(
        true,
      );
    }
  });

  it("let a lock be counted, and nothing that the flow decides", () => {
    const counting = ["id", "project_id", "status", "times_locked"];
    expect(attributesOf("CreateSnapshot", "Volumes").toSorted()).toEqual(counting);
    expect(attributesOf("DeleteSnapshot", "Volumes").toSorted()).toEqual(["id", "locks"]);
  });

  it("let only the API, which puts new volumes, the flow's last step, its scheduler and what drops old lines to make room write the ledger", () => {
    const tasks = NAMES.filter((name) => attributesOf(name, "Volumes").includes("attempts"));
    expect(tasks.toSorted()).toEqual(
      [
        "BlockStorageApi",
        "CreateVolumeOnFinish",
        "DeleteVolume",
        "ErrorOutFailedExecution",
        "ErrorOutVolume",
        "ExtendVolume",
        "KeepDeadLetters",
        "RescheduleVolume",
        "ScheduleVolume",
        "SweepOverdueVolumes",
      ].toSorted(),
    );
    expect(
      attributesOf("CopyImageToVolume", "Volumes")
        .filter((each) => DECISIONS.includes(each))
        .toSorted(),
    ).toEqual(["fence", "status"]);
  });

  it("return nothing to a function that may not read the table", () => {
    const silent = NAMES.flatMap((name) =>
      writes(name)
        .filter(({ Condition }) => Condition?.["StringEqualsIfExists"]?.["dynamodb:ReturnValues"] === "NONE")
        .map((statement) => `${name}: ${resourcesOf(statement).join()}`),
    );
    expect(silent.toSorted()).toEqual([
      "CreateSnapshot: Locks",
      "CreateSnapshot: Projects",
      "CreateSnapshot: Projects",
      "CreateVolumeOnFinish: Claims",
      "ExtractVolumeSpec: Locks",
    ]);
  });

  it("of reports are of pools of the configured backends", () => {
    expect(writes("ReportBackends").map(({ Condition }) => Condition?.["ForAllValues:StringLike"])).toEqual([
      { "dynamodb:LeadingKeys": ["cinderless@first#*", "cinderless@second#*"] },
    ]);
  });
});

it("scheduling may start executions through the alias only, as Step Functions authorises it", () => {
  const start = statementsOf(template, "ScheduleVolume").find(({ Action }) => Action === "states:StartExecution");
  expect(start?.Resource).toEqual({ Ref: expect.stringMatching(/^WorkflowCreateVolume[0-9A-F]{8}$/) as string });
  expect(start?.Condition).toEqual({ "ForAnyValue:StringEquals": { "states:StateMachineQualifier": "live" } });
});

describe("under the customer's key", () => {
  const own = inlineTemplate({ customerManagedKey: "true" });

  it.each(NAMES)("%s uses it through the services that it calls only", (name) => {
    const use = statementsOf(own, name).find(({ Action }) => [Action].flat().includes("kms:Decrypt"));
    const services = [use?.Condition?.["StringLike"]?.["kms:ViaService"] ?? []].flat();
    const called = ["dynamodb", "s3", "sns", "sqs", ...(name === "ScheduleVolume" ? ["states"] : [])];
    expect(services.map((service) => /"(\w+)\./.exec(JSON.stringify(service))?.[1])).toEqual(called);
  });
});

describe("the policies of a role", () => {
  /** Characters of all inline policies of a role together, without white space. */
  const QUOTA = 10_240;
  /** Placeholders for ARNs and names that only the deployment knows. */
  const LONG_VALUE = "a".repeat(120);
  /** Values of which the length is known. */
  const PSEUDO_PARAMETERS: Record<string, string> = {
    "AWS::Region": "ap-southeast-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws-us-gov",
  };

  it.each([
    ["as the stack is by default", {}],
    [
      "with the image-volume cache and the customer's key",
      {
        customerManagedKey: "true",
        backends: [{ host: "n@b", driver: "file", options: { directory: "/mnt/b" }, image_volume_cache_enabled: true }],
      },
    ],
  ])("fit into nine tenths of what IAM takes, %s", (_what, context) => {
    const stack = inlineTemplate(context);
    const lengths = NAMES.map((name) => {
      const text = JSON.stringify(statementsOf(stack, name), (_key, value: unknown) => {
        const isValue = typeof value === "object" && value !== null && ("Fn::GetAtt" in value || "Ref" in value);
        return isValue ? ("Ref" in value && PSEUDO_PARAMETERS[String(value.Ref)]) || LONG_VALUE : value;
      });
      return text.length;
    });
    expect(Math.max(...lengths)).toBeLessThan((9 * QUOTA) / 10);
  });
});

describe("the workflow", () => {
  const policy = resources.find(
    ([id, { Type }]) => Type === "AWS::IAM::Policy" && id.startsWith("WorkflowCreateVolume"),
  );
  const { Statement: statements } = (policy?.[1].Properties?.["PolicyDocument"] ?? { Statement: [] }) as {
    Statement: Statement[];
  };

  it("may call its own tasks and no other function", () => {
    const calls = statements.filter(({ Action }) => [Action].flat().includes("lambda:InvokeFunction"));
    const called = calls.flatMap(({ Resource }) => Resource as { "Fn::GetAtt": [string, string] }[]);
    expect(called.map((arn) => String(functionNameIn(arn["Fn::GetAtt"][0]))).toSorted()).toEqual(TASK_NAMES.toSorted());
  });

  it("may do nothing else but deliver its logs and traces", () => {
    const others = statements
      .flatMap(({ Action }) => [Action].flat())
      .filter((action) => !/^(logs|xray):/.test(action));
    expect(others).toEqual(["lambda:InvokeFunction"]);
  });
});

describe("a stack with a file system", () => {
  const withFileSystem = Object.entries(inlineTemplate().Resources);
  const textOf = (name: FunctionName): string =>
    JSON.stringify(
      withFileSystem.filter(
        ([id, { Type }]) => Type === "AWS::IAM::Policy" && id.startsWith(`Functions${name}ServiceRole`),
      ),
    );

  it.each(["CreateRawVolume", "CopyImageToVolume", "DeleteVolume", "CallDriver"] as const)(
    "lets %s mount it",
    (name) => {
      expect(textOf(name)).toContain("elasticfilesystem:ClientWrite");
      expect(textOf(name)).toContain("ec2:CreateNetworkInterface");
    },
  );

  it.each(["ExtractVolumeRef", "ScheduleVolume", "NotifyCreateStart", "ErrorOutVolume", "RescheduleVolume"] as const)(
    "keeps %s away from it",
    (name) => {
      expect(textOf(name)).not.toContain("elasticfilesystem");
      expect(textOf(name)).not.toContain("ec2:");
    },
  );
});

describe("a stack with Glance", () => {
  const READERS = ["ExtractVolumeSpec", "CloneImage", "CheckBackend", "CopyImageToVolume"] as const;
  const withAuth = (auth: Record<string, unknown>) =>
    Object.entries(
      inlineTemplate({
        fileSystem: "none",
        image_services: { glance: { api_servers: ["https://glance.example"], auth } },
      }).Resources,
    );
  const secretsOf = (stack: ReturnType<typeof withAuth>, name: FunctionName): unknown[] =>
    stack
      .filter(([id, { Type }]) => Type === "AWS::IAM::Policy" && id.startsWith(`Functions${name}ServiceRole`))
      .flatMap(([, { Properties = {} }]) => (Properties["PolicyDocument"] as { Statement: Statement[] }).Statement)
      .filter(({ Action }) => JSON.stringify(Action).includes("secretsmanager"))
      .map(({ Action, Effect, Resource }) => ({ Action, Effect, Resource }));
  const secretArn = (name: string) => ({
    "Fn::Join": [
      "",
      [
        "arn:",
        { Ref: "AWS::Partition" },
        ":secretsmanager:",
        { Ref: "AWS::Region" },
        ":",
        { Ref: "AWS::AccountId" },
        `:secret:${name}`,
      ],
    ],
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["one secret by its name", { type: "fixed_token", secret: "cinderless/glance" }, "cinderless/glance-??????"],
    ["what is below the prefix of the callers' tokens", { type: "passed_token" }, "cinderless/tokens/*"],
  ])("lets only the functions that read images read %s", (_what, auth, resource) => {
    const stack = withAuth(auth);
    for (const name of NAMES) {
      const expected = { Action: "secretsmanager:GetSecretValue", Effect: "Allow", Resource: secretArn(resource) };
      expect(secretsOf(stack, name)).toEqual((READERS as readonly string[]).includes(name) ? [expected] : []);
    }
  });

  it.each(["none", "trusted_headers"])("needs no secret for %s", (type) => {
    expect(JSON.stringify(withAuth({ type }))).not.toContain("secretsmanager:GetSecretValue");
  });

  it("gives its address only to the functions that read or check images", () => {
    const told = withAuth({ type: "none" }).flatMap(([id, { Type, Properties }]) =>
      Type === "AWS::Lambda::Function" && JSON.stringify(Properties?.["Environment"]).includes("IMAGE_SERVICES")
        ? [functionNameIn(id)]
        : [],
    );
    expect(new Set(told)).toEqual(new Set([...READERS, "BlockStorageApi"]));
  });
});
