import { createHash } from "node:crypto";

/** Account of everything in the embedded cloud; fauxqs supports no other. */
export const ACCOUNT_ID = "000000000000";

/** Components of names and ARNs. */
export interface CloudLocation {
  readonly region: string;
  readonly stackName: string;
}

/**
 * Name of a resource that the template does not name: `<stack>-<logical id>`, the same after every restart, so that data on disk is found
 * again. A name over the limit of its service is cut and ends in a hash of the full name.
 */
export function physicalName(location: CloudLocation, logicalId: string, maxLength: number): string {
  const name = `${location.stackName}-${logicalId}`;
  if (name.length <= maxLength) return name;
  return `${name.slice(0, maxLength - 9)}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
}

/** An ARN of the embedded account; `resource` is the part after the account id. */
export function arnOf(location: CloudLocation, service: string, resource: string): string {
  return `arn:aws:${service}:${location.region}:${ACCOUNT_ID}:${resource}`;
}

/** A UUID that depends only on the text: ids that AWS draws at random must be the same after a restart here. */
export function stableUuid(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
