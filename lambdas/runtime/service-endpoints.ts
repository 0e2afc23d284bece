import { partition } from "@aws-sdk/core/client";

/** What these services' endpoints depend on; the names are those of their endpoint rules. */
export type ServiceEndpointParameters = {
  Region?: string;
  Endpoint?: string;
  UseFIPS?: boolean;
  UseDualStack?: boolean;
  AccountIdEndpointMode?: string;
};

/** How a service's names differ from `SERVICE-fips.REGION.SUFFIX`, by partition. */
type Rules = {
  service: string;
  /** Where the plain name is that of FIPS, too. */
  plainIsFips: readonly string[];
  /** Where the plain suffix is that of dual stack, too; and with FIPS. */
  plainIsDualStack: readonly string[];
  plainIsDualStackFips: readonly string[];
};

const DYNAMODB: Rules = {
  service: "dynamodb",
  plainIsFips: ["aws-us-gov"],
  plainIsDualStack: [],
  plainIsDualStackFips: [],
};

const SECRETS_MANAGER: Rules = {
  service: "secretsmanager",
  plainIsFips: [],
  plainIsDualStack: ["aws", "aws-cn", "aws-us-gov"],
  plainIsDualStackFips: ["aws", "aws-us-gov"],
};

/**
 * Stands in for the endpoint rules of `@aws-sdk/client-dynamodb` in the bundles. Endpoints by account are left out: they need an
 * account id among the credentials, which Lambda does not give a function, and the SDK's default then takes the region's.
 *
 * @throws Error where a partition has no such endpoint, and where endpoints by account are required
 */
export function dynamoDbEndpoint(parameters: ServiceEndpointParameters) {
  if (parameters.AccountIdEndpointMode === "required") {
    throw new Error("Endpoints by account are left out of this bundle");
  }
  return endpointOf(DYNAMODB, parameters);
}

/** As {@link dynamoDbEndpoint}, for `@aws-sdk/client-secrets-manager`. @throws Error where a partition has no such endpoint */
export function secretsManagerEndpoint(parameters: ServiceEndpointParameters) {
  return endpointOf(SECRETS_MANAGER, parameters);
}

function endpointOf(rules: Rules, parameters: ServiceEndpointParameters) {
  const { Endpoint: custom, UseFIPS: fips = false, UseDualStack: dualStack = false } = parameters;
  if (custom !== undefined && (fips || dualStack)) {
    throw new Error("An endpoint of one's own is neither FIPS nor dual stack");
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
  const plain = fips ? rules.plainIsDualStackFips : rules.plainIsDualStack;
  const suffix = dualStack && !plain.includes(name) ? dualStackDnsSuffix : dnsSuffix;
  const isPlain = !fips || (!dualStack && rules.plainIsFips.includes(name));
  return `https://${rules.service}${isPlain ? "" : "-fips"}.${region}.${suffix}`;
}
