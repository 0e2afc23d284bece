import { Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/**
 * Accepts findings of the policy packs (cdk-nag) on a construct and everything below it, each with its evidence: why the rule does not
 * apply here, or what replaces it. The call stands next to the construct that it concerns, so that a change of one shows the other.
 *
 * @param findings reasons by rule id, such as `AwsSolutions-S1`
 */
export function acknowledge(construct: IConstruct, findings: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(findings)) {
    Validations.of(construct).acknowledge({ id, reason });
  }
}
