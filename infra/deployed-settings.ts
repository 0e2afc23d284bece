import { InvalidInput } from "../core/errors.ts";
import type { MadeWith, StackAddress } from "./settings-change.ts";

/** The part of a CloudFormation template that shows a stack's settings. */
type Template = { Resources?: Record<string, { Type: string; Properties?: { CidrBlock?: unknown } }> };

/** States of a stack that has no resources yet. */
const WITHOUT_RESOURCES = ["REVIEW_IN_PROGRESS", "DELETE_COMPLETE"];

/** How long synthesis waits for each answer of CloudFormation. */
const ANSWER_MILLISECONDS = 5_000;

/** A stack's settings, from its template. This works for every release, because it reads only resource types and the network's range. */
export function madeWithOfTemplate({ Resources: resources = {} }: Template): MadeWith {
  const all = Object.values(resources);
  const has = (type: string) => all.some((resource) => resource.Type === type);
  const cidr = all.find(({ Type: type }) => type === "AWS::EC2::VPC")?.Properties?.CidrBlock;
  return {
    fileSystem: has("AWS::EFS::FileSystem") ? "efs" : "none",
    customerManagedKey: has("AWS::KMS::Key"),
    vpcCidr: typeof cidr === "string" ? cidr : null,
  };
}

/**
 * Reads the stack's settings from CloudFormation. The CDK CLI passes account and region to the app but no credentials, so the shell's own
 * are used; an answer from another account is ignored.
 *
 * @param report called with the reason when CloudFormation cannot be asked
 * @returns undefined when the stack does not exist, or its settings are unknown
 */
export async function readDeployedSettings(
  { account, region, stackName }: StackAddress,
  report: (reason: string) => void,
): Promise<MadeWith | undefined> {
  const { CloudFormationClient, DescribeStacksCommand, GetTemplateCommand } =
    await import("@aws-sdk/client-cloudformation");
  const client = new CloudFormationClient({ region, maxAttempts: 2 });
  const limit = () => ({ abortSignal: AbortSignal.timeout(ANSWER_MILLISECONDS) });
  try {
    const { Stacks: [stack] = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName }), limit());
    const owner = stack?.StackId?.split(":")[4];
    if (stack === undefined || WITHOUT_RESOURCES.includes(stack.StackStatus ?? "")) {
      return undefined;
    }
    if (owner !== account) {
      throw new InvalidInput(`the credentials of this shell are those of account ${owner}, not ${account}`);
    }
    const { TemplateBody: body = "" } = await client.send(new GetTemplateCommand({ StackName: stackName }), limit());
    return madeWithOfTemplate(JSON.parse(body) as Template);
  } catch (error) {
    const { message } = error as Error;
    if (!message.includes("does not exist")) {
      report(message);
    }
    return undefined;
  } finally {
    client.destroy();
  }
}
