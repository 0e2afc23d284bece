import { partition } from "@aws-sdk/core/client";

/** Parameters of S3's endpoint; the names are those of its endpoint rules. */
export type S3EndpointParameters = {
  Region?: string;
  Bucket?: string;
  Endpoint?: string;
  ForcePathStyle?: boolean;
  UseFIPS?: boolean;
  UseDualStack?: boolean;
  Accelerate?: boolean;
  UseGlobalEndpoint?: boolean;
};

/**
 * Replaces the endpoint rules of `@aws-sdk/client-s3` in the bundles: 18 kB of a decision diagram, most of it for access points, Outposts,
 * Object Lambda, directory buckets and acceleration. The bucket of images uses none of them. Buckets by name in every partition remain, at
 * AWS or at a custom endpoint, with or without path style, FIPS and dual stack.
 *
 * @throws Error for everything else
 */
export function defaultEndpointResolver(parameters: S3EndpointParameters) {
  const { Region: region, Bucket: bucket = "" } = parameters;
  if (region === undefined || !/^[a-z0-9-]{1,63}$/.test(region)) {
    throw new Error("S3 needs a region");
  }
  const isArnOrDirectory = bucket.includes(":") || bucket.endsWith("--x-s3") || bucket.endsWith("--xa-s3");
  if (isArnOrDirectory || parameters.Accelerate === true || parameters.UseGlobalEndpoint === true) {
    throw new Error(`The endpoint of bucket ${bucket} is of a kind that is left out of this bundle`);
  }
  const authScheme = { disableDoubleEncoding: true, name: "sigv4", signingName: "s3", signingRegion: region };
  return { url: urlOf(parameters, region, bucket), properties: { authSchemes: [authScheme] }, headers: {} };
}

function urlOf(parameters: S3EndpointParameters, region: string, bucket: string): URL {
  const base = new URL(parameters.Endpoint ?? regionalEndpoint(parameters, region));
  const isPathStyle = parameters.ForcePathStyle === true || isAddress(base.hostname) || !isHostLabel(bucket);
  if (isPathStyle) {
    base.pathname = `${base.pathname.replace(/\/$/, "")}/${encodeURIComponent(bucket)}`;
    return base;
  }
  base.host = `${bucket}.${base.host}`;
  return base;
}

function regionalEndpoint({ UseFIPS: fips, UseDualStack: dualStack }: S3EndpointParameters, region: string): string {
  const { name, dnsSuffix } = partition(region);
  if (fips === true && name === "aws-cn") {
    throw new Error("Partition does not support FIPS");
  }
  const service = `s3${fips === true ? "-fips" : ""}${dualStack === true ? ".dualstack" : ""}`;
  // S3 keeps the partition's own suffix for dual stack, unlike other services.
  return `https://${service}.${region}.${dnsSuffix}`;
}

function isAddress(hostname: string): boolean {
  return /^(\d+\.){3}\d+$|^\[/.test(hostname);
}

/** A name with dots has no certificate; the SDK uses path style for it too. */
function isHostLabel(bucket: string): boolean {
  return /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket);
}
