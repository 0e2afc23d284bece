import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { zstdCompressSync } from "node:zlib";
import type { Plugin } from "esbuild";

const SCHEMAS = /@aws-sdk[\\/]client-[^\\/]+[\\/]dist-es[\\/]schemas[\\/]schemas_0\.js$/;
const PACKAGE = /@aws-sdk[\\/]client-[^\\/]+[\\/]package\.json$/;

/** `export var Name$ = [ ... ];`, which ends with a bracket at the start of a line. Those of lists and maps have no `$`. */
const SCHEMA = /^(export )?var (\w+\$?) = (\[.*\n(?: .*\n)*\]);$/gm;

/** `n0_registry.registerError(Name$, Name);` of the service's own errors; that of its base error has another prefix. */
const ERROR_REGISTRATION = /^n\d+_registry\.registerError\(\w+\$, \w+\);$/gm;

const PARTITIONS = /@aws-sdk[\\/]core[\\/].*[\\/]util-endpoints[\\/]lib[\\/]aws[\\/]partitions\.js$/;

const SERVICE_ENDPOINTS = fileURLToPath(new URL("../lambdas/runtime/service-endpoints.ts", import.meta.url));

/** Replaces a class that is never constructed in a function: its use would be a mistake, and throws. */
const leftOut = (name: string): string =>
  `export class ${name} { constructor() { throw new Error("${name} is left out of this bundle"); } }`;

/** Modules of packages by the end of their paths, with their replacements. */
const REPLACEMENTS: readonly [RegExp, string][] = [
  [
    /@aws-sdk\/client-dynamodb\/dist-es\/endpoint\/endpointResolver\.js$/,
    `export { dynamoDbEndpoint as defaultEndpointResolver } from ${JSON.stringify(SERVICE_ENDPOINTS)};`,
  ],
  [
    /@aws-sdk\/client-sqs\/dist-es\/endpoint\/endpointResolver\.js$/,
    `export { sqsEndpoint as defaultEndpointResolver } from ${JSON.stringify(SERVICE_ENDPOINTS)};`,
  ],
  [
    /@aws-sdk\/client-lambda\/dist-es\/endpoint\/endpointResolver\.js$/,
    `export { lambdaEndpoint as defaultEndpointResolver } from ${JSON.stringify(SERVICE_ENDPOINTS)};`,
  ],
  // Two modules read dates, and the bundles need the newer one anyway: it reads all forms of answers.
  [
    /@smithy\/core\/dist-es\/submodules\/serde\/date-utils\.js$/,
    `export {
      _parseEpochTimestamp as parseEpochTimestamp,
      _parseRfc3339DateTimeWithOffset as parseRfc3339DateTime,
      _parseRfc3339DateTimeWithOffset as parseRfc3339DateTimeWithOffset,
      _parseRfc7231DateTime as parseRfc7231DateTime,
    } from "./schema-serde-lib/schema-date-utils.js";
    export const dateToUtcString = (date) => date.toUTCString();`,
  ],
  // Signs messages of event streams.
  [/@smithy\/signature-v4\/dist-es\/HeaderFormatter\.js$/, "export class HeaderFormatter {}"],
  // For a JavaScript engine without Node's crypto module.
  [/@smithy\/core\/dist-es\/submodules\/checksum\/sha256\/Sha256Js\.js$/, leftOut("Sha256Js")],
  [/@smithy\/core\/dist-es\/submodules\/checksum\/md5\/Md5Js\.js$/, leftOut("Md5Js")],
  // Clients retry in the standard mode: the other mode is not used.
  [
    /@smithy\/core\/dist-es\/submodules\/retry\/util-retry\/AdaptiveRetryStrategy\.js$/,
    leftOut("AdaptiveRetryStrategy"),
  ],
  // Bodies of answers are Node's streams here, not a browser's.
  [
    /@smithy\/core\/dist-es\/submodules\/serde\/util-stream\/sdk-stream-mixin\.browser\.js$/,
    'export const sdkStreamMixin = () => { throw new Error("no stream of Node"); };',
  ],
  // The function's runtime is chosen by the stack.
  [
    /@aws-sdk\/core\/dist-es\/submodules\/client\/emitWarningIfUnsupportedVersion\.js$/,
    "export const state = { warningEmitted: true }; export const emitWarningIfUnsupportedVersion = () => {};",
  ],
  // A function has no home directory with settings: all of its settings are in the environment.
  [
    /@smithy\/core\/dist-es\/submodules\/config\/shared-ini-file-loader\/loadSharedConfigFiles\.js$/,
    `export { CONFIG_PREFIX_SEPARATOR } from "./constants";
    export const loadSharedConfigFiles = async () => ({ configFile: {}, credentialsFile: {} });`,
  ],
  // Lambda names the region in the environment, and the bundles run only in Lambda.
  [
    /@smithy\/core\/dist-es\/submodules\/config\/config-resolver\/regionConfig\/getInstanceMetadataRegion\.js$/,
    "export const getInstanceMetadataRegion = async () => undefined;",
  ],
  // Names what a client has switched on, for the User-Agent header.
  [
    /@aws-sdk\/core\/dist-es\/submodules\/client\/middleware-user-agent\/check-features\.js$/,
    "export const checkFeatures = async () => {};",
  ],
  // DynamoDB's client creates one, but uses it only with endpoint discovery, so it can be empty.
  [
    /@aws-sdk\/endpoint-cache\/dist-es\/EndpointCache\.js$/,
    `export class EndpointCache {
      getEndpoint() {} get() {} set() {} delete() {} clear() {}
      has() { return false; }
    }`,
  ],
];

/** The SDK's partitions of regions (`partitions.js` of its endpoint rules). */
export type Partitions = {
  partitions: { regionRegex: string; regions: Record<string, { description?: string }> }[];
};

/** `export const partitionsInfo = { ... };`, which is JSON. */
const PARTITIONS_LITERAL = /^export const partitionsInfo = (\{[\s\S]*\});\s*$/;

/** Partitions without the regions that their pattern matches, and without the unused descriptions. */
export function shortPartitions({ partitions, ...rest }: Partitions): Partitions {
  const found = (region: string) => partitions.find(({ regionRegex }) => new RegExp(regionRegex).test(region));
  const short = partitions.map((partition) => {
    const regions = Object.entries(partition.regions).flatMap(([region, { description: _description, ...data }]) =>
      found(region) === partition && Object.keys(data).length === 0 ? [] : [[region, data] as const],
    );
    return { ...partition, regions: Object.fromEntries(regions) };
  });
  return { ...rest, partitions: short };
}

const HASHES = /hash-wasm[\\/]dist[\\/]index\.esm\.js$/;

/** A WebAssembly module of hash-wasm in base64. Those of SHA-2 are unrolled loops, which compress to a fifth. */
const WASM = /^var (data\$\w+) = "(AGFzb[\w+/=]+)";$/gm;

const UNPACK = `import { zstdDecompressSync } from "node:zlib";
const unpack = (packed) => zstdDecompressSync(Buffer.from(packed, "base64")).toString("base64");
`;

/**
 * Removes code from packages that no function uses, but that a bundler cannot recognize as unused. Most of it is in the AWS SDK: up to 120
 * kB of a bundle.
 *
 * - Schemas are array literals with computed keys, which must be kept in case computing a key had an effect. A call that is marked
 *   pure may be dropped.
 * - Error classes are registered one by one. Without its class an error arrives as the service's base error, under the same name
 *   and with the same message, and only names are ever matched here.
 * - Only the version of a client's package.json is read.
 * - Regions that a partition's pattern matches are left out of the partitions.
 * - The modules of {@link REPLACEMENTS} serve other runtimes than a Lambda function, or features that functions do not use.
 * - WebAssembly code is stored compressed, and unpacked when it is loaded.
 */
export const TRIM_SDK: Plugin = {
  name: "trim-sdk",
  setup(bundler) {
    bundler.onLoad({ filter: SCHEMAS }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source
        .replaceAll(SCHEMA, "$1var $2 = /* @__PURE__ */ (() => $3)();")
        .replaceAll(ERROR_REGISTRATION, "");
      return { contents, loader: "js" };
    });
    bundler.onLoad({ filter: PACKAGE }, async ({ path }) => {
      const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
    bundler.onLoad({ filter: PARTITIONS }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replace(
        PARTITIONS_LITERAL,
        (_all, json: string) =>
          `export const partitionsInfo = ${JSON.stringify(shortPartitions(JSON.parse(json) as Partitions))};`,
      );
      return { contents, loader: "js" };
    });
    for (const [filter, contents] of REPLACEMENTS) {
      bundler.onLoad({ filter }, () => ({ contents, loader: "js" }));
    }
    bundler.onLoad({ filter: HASHES }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replaceAll(WASM, (_all, name: string, base64: string) => {
        const packed = zstdCompressSync(Buffer.from(base64, "base64")).toString("base64");
        return `var ${name} = /* @__PURE__ */ unpack("${packed}");`;
      });
      return { contents: UNPACK + contents, loader: "js" };
    });
  },
};
