import { describe, expect, it } from "vitest";
import { FUNCTION_NAMES, type FunctionName } from "../../core/settings/functions.ts";
import { functionNameIn, inlineTemplate } from "../../infra/inline-template.ts";

/** The additions of the image-volume cache to a stack that enables it. */

const BACKENDS = [
  { host: "node@first", driver: "file", options: { directory: "/mnt/first" }, image_volume_cache_enabled: true },
  { host: "node@second", driver: "file", options: { directory: "/mnt/second" } },
];
const NAMES = FUNCTION_NAMES;

type Resources = ReturnType<typeof inlineTemplate>["Resources"];
type Statement = { Action: string | string[]; Resource: unknown };

/** Each permission of a function as `action on logical id`, and its variables. */
function holdingsOf(resources: Resources, name: FunctionName): string[] {
  const entries = Object.entries(resources);
  const statements = entries
    .filter(([id, { Type }]) => Type === "AWS::IAM::Policy" && id.startsWith(`Functions${name}ServiceRole`))
    .flatMap(([, { Properties = {} }]) => (Properties["PolicyDocument"] as { Statement: Statement[] }).Statement);
  const lambda = entries.find(([id, { Type }]) => Type === "AWS::Lambda::Function" && functionNameIn(id) === name);
  const { Variables = {} } = (lambda?.[1].Properties?.["Environment"] ?? {}) as { Variables?: Record<string, unknown> };
  const granted = statements.flatMap(({ Action, Resource }) => {
    const tables = [...JSON.stringify(Resource).matchAll(/"Records(\w+)Table[0-9A-F]{8}"/g)];
    return tables.flatMap(([, table]) => [Action].flat().map((action) => `${action} on ${table}`));
  });
  return [...new Set([...granted, ...Object.keys(Variables)])].toSorted();
}

const withoutCache = inlineTemplate({ fileSystem: "none" }).Resources;
const withCache = inlineTemplate({ fileSystem: "none", backends: BACKENDS }).Resources;

const LOCKS = ["LOCKS_TABLE", "dynamodb:DeleteItem on Locks", "dynamodb:PutItem on Locks"];
const USE = ["IMAGE_CACHE_TABLE", "dynamodb:GetItem on ImageCache", "dynamodb:UpdateItem on ImageCache", ...LOCKS];
const EVICT = [
  "IMAGE_CACHE_TABLE",
  "dynamodb:DeleteItem on ImageCache",
  "dynamodb:Scan on ImageCache",
  "dynamodb:UpdateItem on ImageCache",
];

const ADDED: Partial<Record<FunctionName, string[]>> = {
  CloneImage: USE,
  CheckBackend: USE,
  CopyImageToVolume: [
    ...EVICT,
    ...LOCKS,
    "dynamodb:Query on Locks",
    "SNAPSHOTS_TABLE",
    "dynamodb:BatchGetItem on Snapshots",
    "dynamodb:UpdateItem on Snapshots",
    "BACKENDS_TABLE",
    "dynamodb:GetItem on ImageCache",
    "dynamodb:BatchGetItem on Volumes",
    "dynamodb:DeleteItem on Volumes",
    "dynamodb:PutItem on Volumes",
    "dynamodb:GetItem on Backends",
    "dynamodb:Scan on Backends",
    "dynamodb:UpdateItem on Backends",
    "CLAIMS_TABLE",
    "dynamodb:BatchGetItem on Claims",
    "dynamodb:GetItem on Claims",
    "dynamodb:Query on Claims",
    "dynamodb:UpdateItem on Claims",
  ],
  SweepOverdueVolumes: EVICT,
};

describe("a stack with an image-volume cache", () => {
  it.each(NAMES)("gives %s what the cache needs, and nothing else", (name) => {
    const before = new Set(holdingsOf(withoutCache, name));
    const added = holdingsOf(withCache, name).filter((holding) => !before.has(holding));
    expect(added).toEqual((ADDED[name] ?? []).toSorted());
  });

  it.each(NAMES)("takes nothing from %s", (name) => {
    expect(holdingsOf(withCache, name)).toEqual(expect.arrayContaining(holdingsOf(withoutCache, name)));
  });
});

describe("a stack without one", () => {
  it("names its table to no function", () => {
    expect(
      NAMES.flatMap((name) => holdingsOf(withoutCache, name)).filter((each) => /ImageCache|IMAGE_CACHE/.test(each)),
    ).toEqual([]);
  });
});

describe("the cache of a backend", () => {
  it.each([
    ["image_volume_cache_enabled", "yes", "image_volume_cache_enabled must be true or false"],
    ["image_volume_cache_max_count", -1, "image_volume_cache_max_count must be a whole number, 0 or more"],
    ["image_volume_cache_max_size_gb", 0.5, "image_volume_cache_max_size_gb must be a whole number, 0 or more"],
  ])("refuses %s of %s", (key, value, message) => {
    expect(() => inlineTemplate({ backends: [{ ...BACKENDS[0], [key]: value }] })).toThrow(message);
  });
});
