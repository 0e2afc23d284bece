// @ts-nocheck
import { S3Client } from "@aws-sdk/client-s3";
import { describe, expect, it, test } from "vitest";
import { defaultEndpointResolver, type S3EndpointParameters } from "../../lambdas/runtime/s3-endpoint.ts";

/** The SDK's own rules, as a client that is not bundled has them. */
const { endpointProvider } = new S3Client({ region: "us-east-1" }).config;

const REGIONS = [
  "us-east-1",
  "eu-west-3",
  "cn-north-1",
  "us-gov-west-1",
  "us-iso-east-1",
  "eusc-de-east-1",
  "eu-new-7",
];
const FLAGS: Partial<S3EndpointParameters>[] = [
  {},
  { ForcePathStyle: true },
  { UseFIPS: true },
  { UseDualStack: true },
  { UseFIPS: true, UseDualStack: true },
];
const ENDPOINTS = [
  "http://127.0.0.1:4566",
  "http://127.0.0.1:4566/",
  "http://[::1]:4566",
  "https://s3.example.com",
  "http://s3.example.com:9000/base/path",
  "https://s3.example.com/base/",
];
const BUCKETS = ["images", "cinderless-imagesbucket-1x2y3z", "123", "Images_Up"];

/** The parameters that the SDK always gives. */
const DEFAULTS = {
  Accelerate: false,
  DisableMultiRegionAccessPoints: false,
  ForcePathStyle: false,
  UseDualStack: false,
  UseFIPS: false,
  UseGlobalEndpoint: false,
};

function both(parameters: S3EndpointParameters) {
  const all = { ...DEFAULTS, ...parameters };
  const { url, properties, headers } = endpointProvider(all);
  return { found: defaultEndpointResolver(all), expected: { url, properties, headers } };
}

describe.each(REGIONS)("in %s", (region) => {
  test.each(BUCKETS.flatMap((bucket) => FLAGS.map((flags) => ({ Bucket: bucket, ...flags }))))(
    "%j is where the SDK's rules say",
    (parameters) => {
      if (region === "cn-north-1" && parameters.UseFIPS === true) {
        expect(() => both({ Region: region, ...parameters })).toThrow("FIPS");
        expect(() => defaultEndpointResolver({ Region: region, ...parameters })).toThrow("FIPS");
        return;
      }
      const { found, expected } = both({ Region: region, ...parameters });
      expect(found.url.href).toBe(expected.url.href);
      expect(found).toEqual(expected);
    },
  );
});

test.each(
  ENDPOINTS.flatMap((endpoint) =>
    BUCKETS.flatMap((bucket) =>
      [false, true].map((path) => ({ Endpoint: endpoint, Bucket: bucket, ForcePathStyle: path })),
    ),
  ),
)("%j is where the SDK's rules say", (parameters) => {
  const { found, expected } = both({ Region: "eu-west-1", ...parameters });
  expect(found.url.href).toBe(expected.url.href);
  expect(found).toEqual(expected);
});

describe("what is left out", () => {
  it.each<S3EndpointParameters>([
    { Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/images" },
    { Bucket: "arn:aws:s3::123456789012:accesspoint/images.mrap" },
    { Bucket: "images--euw1-az1--x-s3" },
    { Bucket: "images", Accelerate: true },
    { Bucket: "images", UseGlobalEndpoint: true },
  ])("%j is refused", (parameters) => {
    expect(() => defaultEndpointResolver({ Region: "eu-west-1", ...parameters })).toThrow("left out of this bundle");
  });

  it.each([undefined, "", "eu-west-1.evil.example/", "eu west"])("no endpoint has region %j", (region) => {
    expect(() =>
      defaultEndpointResolver({ Bucket: "images", ...(region === undefined ? {} : { Region: region }) }),
    ).toThrow("region");
  });
});
