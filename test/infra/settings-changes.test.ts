import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fullDiff, ResourceImpact } from "@aws-cdk/cloudformation-diff";
import { CloudFormationClient, DescribeStacksCommand, GetTemplateCommand } from "@aws-sdk/client-cloudformation";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { addressOf, createCinderlessApp } from "../../infra/cinderless-app.ts";
import { SETTING_KEYS } from "../../infra/deployment-file.ts";
import { INLINE_CODE, inlineTemplate, type Template } from "../../infra/inline-template.ts";
import { madeWithOfTemplate, readDeployedSettings } from "../../infra/deployed-settings.ts";
import {
  checkSettingsChange,
  type MadeWith,
  madeWith,
  recordFileOf,
  refusedChanges,
} from "../../infra/settings-change.ts";

type Context = Record<string, unknown>;

const scratch = mkdtempSync(path.join(tmpdir(), "cinderless-settings-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Resources that hold data, or without which data cannot be reached. */
const DATA_TYPES = [
  "AWS::DynamoDB::Table",
  "AWS::S3::Bucket",
  "AWS::EFS::FileSystem",
  "AWS::EFS::AccessPoint",
  "AWS::EFS::MountTarget",
  "AWS::KMS::Key",
];

const LOSES_DATA: readonly ResourceImpact[] = [
  ResourceImpact.WILL_REPLACE,
  ResourceImpact.MAY_REPLACE,
  ResourceImpact.WILL_DESTROY,
  ResourceImpact.WILL_ORPHAN,
];

/** One synthesis for each combination of settings. */
const made = new Map<string, { template: Template; settings: MadeWith }>();

function make(context: Context): { template: Template; settings: MadeWith } {
  const key = JSON.stringify(context);
  const found = made.get(key);
  if (found !== undefined) {
    return found;
  }
  const outdir = path.join(scratch, String(made.size));
  const { app, stack } = createCinderlessApp({ codeOf: INLINE_CODE, outdir, context });
  const template = app.synth().getStackArtifact(stack.artifactId).template as Template;
  const result = { template, settings: madeWith(stack.deployment) };
  made.set(key, result);
  return result;
}

/** Resources with data that `cdk diff` replaces or removes, one line each. */
function lossesOf(from: Context, to: Context): string[] {
  const { resources } = fullDiff({ ...make(from).template }, { ...make(to).template });
  return resources.logicalIds.flatMap((id) => {
    const change = resources.get(id);
    const type = change.oldResourceType ?? "";
    return DATA_TYPES.includes(type) && LOSES_DATA.includes(change.changeImpact)
      ? [`${type} ${change.changeImpact}`]
      : [];
  });
}

const GLANCE = { glance: { api_servers: ["https://glance.example"], auth: { type: "fixed_token", secret: "s" } } };
const BACKEND = { host: "node@other", driver: "file", options: { directory: "/mnt/volumes/other" } };

/** Changes that a deployment may make, by setting; each is also made back, unless that is one of the refused ones. */
const SUPPORTED: [keyof typeof FIRST_VALUES, Context, Context, "both ways" | "one way"][] = [
  ["fileSystem", { fileSystem: "none" }, { fileSystem: "efs" }, "one way"],
  ["customerManagedKey", { fileSystem: "none" }, { fileSystem: "none", customerManagedKey: true }, "one way"],
  ["removalPolicy", {}, { removalPolicy: "destroy" }, "both ways"],
  ["removalPolicy", { customerManagedKey: true }, { customerManagedKey: true, removalPolicy: "destroy" }, "both ways"],
  ["observability", {}, { observability: "none" }, "both ways"],
  ["volumeConsumers", {}, { volumeConsumers: { cidrs: ["10.20.0.0/16"] } }, "both ways"],
  ["workflowVersions", {}, { workflowVersions: false }, "both ways"],
  ["alarmRecipients", {}, { alarmRecipients: ["a@example.org"] }, "both ways"],
  ["backends", {}, { backends: [BACKEND] }, "both ways"],
  ["backends", {}, { backends: [{ ...BACKEND, image_volume_cache_enabled: true }] }, "both ways"],
  ["blockStorageApi", {}, { blockStorageApi: { auth: "keystone", auth_url: "https://keystone.example" } }, "both ways"],
  ["image_services", {}, { image_services: GLANCE }, "both ways"],
  ["scheduler", {}, { scheduler: { scheduler_max_attempts: 5 } }, "both ways"],
  ["time_bounds", {}, { time_bounds: { copying_seconds: 7200 } }, "both ways"],
  ["audit", {}, { audit: { interval_minutes: 15 } }, "both ways"],
  ["notification_era", {}, { notification_era: "icehouse" }, "both ways"],
];

/** Changes that are refused because of what CloudFormation would do. */
const REFUSED: [keyof typeof FIRST_VALUES, Context, Context, RegExp][] = [
  ["customerManagedKey", {}, { customerManagedKey: true }, /an empty one would replace it/],
  ["customerManagedKey", { customerManagedKey: true }, {}, /abandon the key of stored data/],
  ["customerManagedKey", { fileSystem: "none", customerManagedKey: true }, { fileSystem: "none" }, /abandon the key/],
  ["fileSystem", {}, { fileSystem: "none" }, /abandon the file system with all volumes/],
  [
    "vpcCidr",
    {},
    { vpcCidr: "10.7.0.0/16" },
    /from 10\.0\.0\.0\/16 to 10\.7\.0\.0\/16: a file system has mount targets/,
  ],
];

/** Another name is another stack, so it changes nothing of the first. */
const FIRST_VALUES = Object.fromEntries(SETTING_KEYS.filter((key) => key !== "stackName").map((key) => [key, true]));

const both = SUPPORTED.flatMap(([key, from, to, ways]) =>
  ways === "both ways" ? [[key, from, to] as const, [key, to, from] as const] : [[key, from, to] as const],
);

describe("a change of settings that synthesis allows", () => {
  it.each(both)("of %s from %j to %j keeps every table, bucket, file system and key", (_key, from, to) => {
    expect(refusedChanges(make(from).settings, make(to).settings)).toEqual([]);
    expect(lossesOf(from, to)).toEqual([]);
  });

  it("is tested for every setting, or is refused", () => {
    const tested = new Set<unknown>([...SUPPORTED, ...REFUSED].map(([key]) => key));
    expect(Object.keys(FIRST_VALUES).filter((key) => !tested.has(key))).toEqual([]);
  });
});

describe("a change of settings that would lose data", () => {
  it.each(REFUSED)("of %s from %j to %j is refused with the reason", (_key, from, to, reason) => {
    expect(refusedChanges(make(from).settings, make(to).settings).join("\n")).toMatch(reason);
    expect(lossesOf(from, to)).not.toEqual([]);
  });
});

it("`cdk diff` without credentials says that enabling the customer managed key replaces the file system", () => {
  const before = path.join(scratch, "before.json");
  const assembly = path.join(scratch, "after");
  writeFileSync(before, JSON.stringify(inlineTemplate()));
  createCinderlessApp({ codeOf: INLINE_CODE, outdir: assembly, context: { customerManagedKey: true } }).app.synth();
  const cdk = new URL("../../node_modules/aws-cdk/bin/cdk", import.meta.url).pathname;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [cdk, "diff", "--app", assembly, "--template", before, "--no-color", "--no-notices"],
    { encoding: "utf8", cwd: scratch, env: { PATH: process.env["PATH"], HOME: scratch, NO_COLOR: "1" } },
  );
  expect(stdout + stderr).toMatch(/AWS::EFS::FileSystem .* replace\n.*KmsKeyId \(requires replacement\)/);
});

describe("the settings of a deployed stack", () => {
  it.each(SUPPORTED.flatMap(([, from, to]) => [from, to]).concat(REFUSED.flatMap(([, from, to]) => [from, to])))(
    "with %j show in its template",
    (context) => {
      const { template, settings } = make(context);
      expect(madeWithOfTemplate(template as never)).toEqual(settings);
    },
  );

  const ADDRESS = { account: "111122223333", region: "eu-west-1", stackName: "Cinderless" };
  const cloudFormation = mockClient(CloudFormationClient);
  const StackId = "arn:aws:cloudformation:eu-west-1:111122223333:stack/Cinderless/x";
  let reports: string[] = [];
  const read = () => readDeployedSettings(ADDRESS, (reason) => reports.push(reason));

  beforeEach(() => {
    reports = [];
    cloudFormation.reset();
    const stack = {
      StackId,
      StackName: "Cinderless",
      StackStatus: "UPDATE_COMPLETE",
      CreationTime: new Date(0),
    } as const;
    cloudFormation.on(DescribeStacksCommand, { StackName: "Cinderless" }).resolves({ Stacks: [stack] });
    const { template } = make({ customerManagedKey: true });
    cloudFormation.on(GetTemplateCommand).resolves({ TemplateBody: JSON.stringify(template) });
  });
  afterAll(() => cloudFormation.restore());

  it("are read from CloudFormation", async () => {
    expect(await read()).toEqual(make({ customerManagedKey: true }).settings);
    expect(reports).toEqual([]);
  });

  it("are undefined when CloudFormation has no such stack, without a message", async () => {
    cloudFormation.on(DescribeStacksCommand).rejects(new Error("Stack with id Cinderless does not exist"));
    expect([await read(), reports]).toEqual([undefined, []]);
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      "CloudFormation refuses",
      () => cloudFormation.on(GetTemplateCommand).rejects(new Error("not authorized")),
      /not authorized/,
    ],
    [
      "the credentials are another account's",
      () =>
        cloudFormation.on(DescribeStacksCommand).resolves({
          Stacks: [{ StackId: StackId.replace("1111", "9999"), StackStatus: "CREATE_COMPLETE" } as never],
        }),
      /those of account 999922223333, not 111122223333/,
    ],
    [
      "the template is not JSON",
      () => cloudFormation.on(GetTemplateCommand).resolves({ TemplateBody: "Resources:" }),
      /not valid JSON/,
    ],
  ])("are unknown, with the reason, when %s", async (_what, arrange, reason) => {
    arrange();
    expect([await read(), reports]).toEqual([undefined, [expect.stringMatching(reason)]]);
  });

  it("decide even without a committed record, and a refused change is not recorded", () => {
    const file = path.join(scratch, "uncommitted.lock.json");
    const deployed = make({ customerManagedKey: true }).settings;
    const wanted = make({}).settings;
    expect(() => checkSettingsChange(file, ADDRESS, wanted, deployed)).toThrow(
      /abandon the key[^]*of the deployed stack/,
    );
    expect(existsSync(file)).toBe(false);
    checkSettingsChange(file, ADDRESS, deployed, deployed);
    expect(() => checkSettingsChange(file, ADDRESS, wanted)).toThrow(/remove its entry/);
  });

  it("take the place of a stale record", () => {
    const file = path.join(scratch, "stale.lock.json");
    const [plain, keyed] = [make({}).settings, make({ customerManagedKey: true }).settings];
    checkSettingsChange(file, ADDRESS, keyed);
    checkSettingsChange(file, ADDRESS, plain, plain);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ "111122223333/eu-west-1/Cinderless": plain });
  });
});

describe("`cdk synth` with the settings of a file", () => {
  const settingsFile = path.join(scratch, "deployment.json");
  const recordFile = path.join(scratch, "deployment.lock.json");

  function synthesize(settings: Context & { stackName?: string }, flags: Context = {}): unknown {
    const { stackName = "Cinderless" } = settings;
    writeFileSync(settingsFile, JSON.stringify(settings));
    const outdir = path.join(scratch, "out");
    const options = { codeOf: INLINE_CODE, outdir, context: flags, settingsFile };
    const made = createCinderlessApp(options);
    const address = addressOf(made.stack, { CDK_DEFAULT_ACCOUNT: "111122223333", CDK_DEFAULT_REGION: "eu-west-1" });
    checkSettingsChange(recordFileOf(made.settingsFile ?? ""), address as never, madeWith(made.stack.deployment));
    return made.app.synth().getStackByName(stackName).template;
  }

  it("applies the file, and a flag in its place", () => {
    const policies = (template: unknown) => JSON.stringify(template).includes('"DeletionPolicy":"Retain"');
    expect(policies(synthesize({ stackName: "Flags", removalPolicy: "destroy" }))).toBe(false);
    expect(policies(synthesize({ stackName: "Flags", removalPolicy: "destroy" }, { removalPolicy: "retain" }))).toBe(
      true,
    );
  });

  it("records how the stack is made, and refuses to make it otherwise", () => {
    synthesize({ stackName: "Keyed", customerManagedKey: true });
    expect(JSON.parse(readFileSync(recordFile, "utf8"))).toMatchObject({
      "111122223333/eu-west-1/Keyed": { fileSystem: "efs", customerManagedKey: true, vpcCidr: "10.0.0.0/16" },
    });
    expect(() => synthesize({ stackName: "Keyed" })).toThrow(
      /do not fit stack Keyed in 111122223333\/eu-west-1:\n {2}customerManagedKey cannot change from true to false[^]*another stackName[^]*remove its entry/,
    );
  });

  it("lets another stack be made in another way", () => {
    synthesize({ stackName: "Plain" });
    expect(() => synthesize({ stackName: "Other", customerManagedKey: true })).not.toThrow();
  });

  it.each([
    ["without credentials", {}],
    ["for an emulator", { CDK_DEFAULT_ACCOUNT: "1", CDK_DEFAULT_REGION: "r", AWS_ENDPOINT_URL: "http://127.0.0.1:1" }],
  ])("has no address to compare or record %s", (_what, environment) => {
    const { stack } = createCinderlessApp({ codeOf: INLINE_CODE, outdir: path.join(scratch, "out") });
    expect(addressOf(stack, environment)).toBeUndefined();
  });

  it.each<[string, Context, RegExp]>([
    ["an unknown setting", { removalpolicy: "destroy" }, /unknown setting removalpolicy; the settings are stackName,/],
    ["an invalid name", { stackName: "1st" }, /stackName must be letters, digits and hyphens/],
  ])("refuses %s", (_what, settings, message) => {
    expect(() => synthesize(settings)).toThrow(message);
  });
});
