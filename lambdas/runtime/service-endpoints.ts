import { partition } from "@aws-sdk/core/client";

/** Parameters of these services' endpoints; the names are those of their endpoint rules. */
export type ServiceEndpointParameters = {
  Region?: string;
  Endpoint?: string;
  UseFIPS?: boolean;
  UseDualStack?: boolean;
  AccountIdEndpointMode?: string;
};

/** A service's name in its endpoints, and the partitions whose plain endpoint is also the FIPS endpoint. */
type Rules = { service: string; plainIsFips: readonly string[] };

const DYNAMODB: Rules = { service: "dynamodb", plainIsFips: ["aws-us-gov"] };

const SQS: Rules = { ...DYNAMODB, service: "sqs" };

const LAMBDA: Rules = { ...SQS, service: "lambda", plainIsFips: [] };

/**
 * Replaces the endpoint rules of `@aws-sdk/client-dynamodb` in the bundles. Account-based endpoints are left out: they need an account id
 * among the credentials, which Lambda does not provide, and the SDK's default then uses the region's endpoint.
 *
 * @throws Error if a partition has no such endpoint, and if account-based endpoints are required
 */
export function dynamoDbEndpoint(parameters: ServiceEndpointParameters) {
  if (parameters.AccountIdEndpointMode === "required") {
    throw new Error("Endpoints by account are left out of this bundle");
  }
  return endpointOf(DYNAMODB, parameters);
}

/** As {@link dynamoDbEndpoint}, for `@aws-sdk/client-sqs`. @throws Error where a partition has no such endpoint */
export function sqsEndpoint(parameters: ServiceEndpointParameters) {
  return endpointOf(SQS, parameters);
}

/** As {@link dynamoDbEndpoint}, for `@aws-sdk/client-lambda`. @throws Error where a partition has no such endpoint */
export function lambdaEndpoint(parameters: ServiceEndpointParameters) {
  return endpointOf(LAMBDA, parameters);
}

function endpointOf(rules: Rules, parameters: ServiceEndpointParameters) {
  const { Endpoint: custom, UseFIPS: fips = false, UseDualStack: dualStack = false } = parameters;
  if (custom !== undefined && (fips || dualStack)) {
    throw new Error("A custom endpoint is neither FIPS nor dual stack");
  }
  return {
    url: new URL(custom ?? regionalEndpoint(rules, parameters.Region, fips, dualStack)),
    properties: {},
    headers: {},
  };
}

function regionalEndpoint(rules: Rules, region: string | undefined, fips: boolean, dualStack: boolean): string {
  if (region === undefined || !/^[a-z0-9-]{1,63}$/.test(region)) {
    throw new Error(`${rules.service} needs a region`);
  }
  const { name, dnsSuffix, dualStackDnsSuffix, supportsFIPS, supportsDualStack } = partition(region);
  if ((fips && !supportsFIPS) || (dualStack && !supportsDualStack)) {
    throw new Error(`${rules.service} has no such endpoint in ${name}`);
  }
  const suffix = dualStack ? dualStackDnsSuffix : dnsSuffix;
  const isPlain = !fips || (!dualStack && rules.plainIsFips.includes(name));
  return `https://${rules.service}${isPlain ? "" : "-fips"}.${region}.${suffix}`;
}
