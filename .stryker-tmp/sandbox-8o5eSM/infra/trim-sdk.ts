// @ts-nocheck
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { zstdCompressSync } from "node:zlib";
import type { Plugin } from "esbuild";

const SCHEMAS = /@aws-sdk[\\/]client-[^\\/]+[\\/]dist-es[\\/]schemas[\\/]schemas_0\.js$/;
const PACKAGE = /@aws-sdk[\\/]client-[^\\/]+[\\/]package\.json$/;

/** `export var Name$ = [ ... ];`, which ends with a bracket at the start of a line. */
const SCHEMA = /^(export )?var (\w+\$) = (\[.*\n(?: .*\n)*\]);$/gm;

/** `n0_registry.registerError(Name$, Name);` of the service's own errors; that of its base error has another prefix. */
const ERROR_REGISTRATION = /^n\d+_registry\.registerError\(\w+\$, \w+\);$/gm;

const S3_ENDPOINT = fileURLToPath(new URL("../lambdas/runtime/s3-endpoint.ts", import.meta.url));

/** A class in place of one that is never made where functions run: a use of it would be a mistake, and says so. */
const leftOut = (name: string): string =>
  `export class ${name} { constructor() { throw new Error("${name} is left out of this bundle"); } }`;

/** Modules of packages by the end of their paths, with what stands in for them. */
const REPLACEMENTS: readonly [RegExp, string][] = [
  [
    /@aws-sdk\/client-s3\/dist-es\/endpoint\/endpointResolver\.js$/,
    `export { defaultEndpointResolver } from ${JSON.stringify(S3_ENDPOINT)};`,
  ],
  // Only access points of several regions are signed otherwise, and their addresses are refused by the module above.
  [
    /@aws-sdk\/signature-v4-multi-region\/dist-es\/SignatureV4MultiRegion\.js$/,
    `import { SignatureV4SignWithCredentials } from "./SignatureV4SignWithCredentials";
    export class SignatureV4MultiRegion extends SignatureV4SignWithCredentials {
      static sigv4aDependency() { return "none"; }
    }`,
  ],
  // For a JavaScript engine without Node's crypto module.
  [/@smithy\/core\/dist-es\/submodules\/checksum\/sha256\/Sha256Js\.js$/, leftOut("Sha256Js")],
  [/@smithy\/core\/dist-es\/submodules\/checksum\/md5\/Md5Js\.js$/, leftOut("Md5Js")],
  [/@aws-sdk\/checksums\/dist-es\/submodules\/sha\/sha1\/Sha1Js\.js$/, leftOut("Sha1Js")],
  // Clients retry in the standard mode: nothing asks for the other one.
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
  // Functions read objects: they put none, and none of their requests has a body of XML.
  [
    /@aws-sdk\/core\/dist-es\/submodules\/protocols\/xml\/XmlShapeSerializer\.js$/,
    `export class XmlShapeSerializer {
      setSerdeContext() {}
      write() { throw new Error("bodies of XML are left out of this bundle"); }
      flush() { throw new Error("bodies of XML are left out of this bundle"); }
    }`,
  ],
  [
    /@smithy\/core\/dist-es\/submodules\/serde\/util-stream\/createBufferedReadable\.js$/,
    'export const createBufferedReadable = () => { throw new Error("uploads are left out of this bundle"); };',
  ],
  [
    /@smithy\/core\/dist-es\/submodules\/serde\/util-stream\/getAwsChunkedEncodingStream\.js$/,
    'export const getAwsChunkedEncodingStream = () => { throw new Error("uploads are left out of this bundle"); };',
  ],
  // Directory buckets are refused by the endpoints above.
  [
    /@aws-sdk\/middleware-sdk-s3\/.*\/S3ExpressIdentityProviderImpl\.js$/,
    `export class S3ExpressIdentityProviderImpl {
      async getS3ExpressIdentity() { throw new Error("directory buckets are left out of this bundle"); }
    }`,
  ],
  // Lambda names the region in the environment; nowhere else do the bundles run.
  [
    /@smithy\/core\/dist-es\/submodules\/config\/config-resolver\/regionConfig\/getInstanceMetadataRegion\.js$/,
    "export const getInstanceMetadataRegion = async () => undefined;",
  ],
  // DynamoDB's client makes one, and asks it only where endpoint discovery is switched on: nothing is remembered.
  [
    /@aws-sdk\/endpoint-cache\/dist-es\/EndpointCache\.js$/,
    `export class EndpointCache {
      getEndpoint() {} get() {} set() {} delete() {} clear() {}
      has() { return false; }
    }`,
  ],
];

const HASHES = /hash-wasm[\\/]dist[\\/]index\.esm\.js$/;

/** A WebAssembly module of hash-wasm in base64. Those of SHA-2 are unrolled loops, which shrink to a fifth. */
const WASM = /^var (data\$\w+) = "(AGFzb[\w+/=]+)";$/gm;

const UNPACK = `import { zstdDecompressSync } from "node:zlib";
const unpack = (packed) => zstdDecompressSync(Buffer.from(packed, "base64")).toString("base64");
`;

/**
 * Leaves out of packages what no function uses but a bundler cannot know to be unused, most of it of the AWS SDK: up to 120 kB of
 * a bundle.
 *
 * - Schemas are array literals with computed keys, which must be kept in case computing a key had an effect. A call that is marked
 *   pure may be dropped.
 * - Error classes are registered one by one. Without its class an error arrives as the service's base error, under the same name
 *   and with the same message, and only names are ever matched here.
 * - Of a client's package.json only the version is read.
 * - The modules of {@link REPLACEMENTS} are for other places than a Lambda function, or for other things than what is done there.
 * - Code in WebAssembly is kept compressed, and unpacked when it is loaded.
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
