import { App } from "aws-cdk-lib";
import cdk from "../cdk.json" with { type: "json" };
import { CinderlessStack } from "./cinderless-stack.ts";
import { applySettingsFile } from "./deployment-file.ts";
import type { CodeOf } from "./functions.ts";
import type { StackAddress } from "./settings-change.ts";
import { STACK_NAME } from "./stack-name.ts";

/** The settings that the CDK CLI reads from cdk.json. The app uses them in every way of starting it. */
const CLI_CONTEXT = {
  ...cdk.context,
  "aws:cdk:version-reporting": cdk.versionReporting,
  "aws:cdk:enable-path-metadata": cdk.pathMetadata,
};

/** Options of an app. */
export type CinderlessAppOptions = {
  codeOf: CodeOf;
  /** Becomes the cloud assembly. Default: the directory that the CDK CLI names. */
  outdir?: string;
  /** Settings, as `-c` gives them. The CDK CLI's own take precedence. */
  context?: Record<string, unknown>;
  /** File of a deployment's settings, for keys that the context does not have. Only a deployment has one. Default: none. */
  settingsFile?: string;
  /** Whether to write the construct tree and let the CDK check the template, which takes longer than everything else. */
  forPeople?: boolean;
  /** Whether the stack is deployed to the embedded cloud, which other machines cannot reach. */
  onThisMachine?: boolean;
};

/**
 * Builds the app: the only way to do so. `cdk deploy`, the embedded cloud, the generated documents and the tests all get the same
 * resources, because the feature flags of cdk.json apply to each of them.
 *
 * Throws: InvalidInput when a setting is wrong.
 *
 * @returns also the file of settings that was read, which the context \`deployment\` may name
 */
export function createCinderlessApp(options: CinderlessAppOptions): {
  app: App;
  stack: CinderlessStack;
  settingsFile?: string;
} {
  const { codeOf, outdir, context = {}, settingsFile, forPeople = false, onThisMachine = false } = options;
  const app = new App({
    ...(outdir !== undefined && { outdir }),
    context: { ...CLI_CONTEXT, ...context },
    ...(!forPeople && { builtinCloudFormationValidation: false, treeMetadata: false }),
  });
  const settingsRead = settingsFile === undefined ? undefined : applySettingsFile(app.node, settingsFile);
  const stack = new CinderlessStack(app, STACK_NAME, { codeOf, onThisMachine });
  return { app, stack, ...(settingsRead !== undefined && { settingsFile: settingsRead }) };
}

/**
 * The address at which the CDK CLI deploys the stack: it passes account and region to the app when it has credentials. Undefined without
 * them, and for an emulator, because its data is temporary.
 */
export function addressOf(
  { stackName }: CinderlessStack,
  environment: Readonly<Record<string, string | undefined>>,
): StackAddress | undefined {
  const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region, AWS_ENDPOINT_URL: endpoint = "" } = environment;
  return account === undefined || region === undefined || endpoint !== "" ? undefined : { account, region, stackName };
}
