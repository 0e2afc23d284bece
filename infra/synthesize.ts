import { App } from "aws-cdk-lib";
import type { CloudAssembly } from "aws-cdk-lib/cx-api";
import { bundleFunctions } from "./bundle.ts";
import { CinderlessStack } from "./cinderless-stack.ts";

/** Name of the stack, and of its entry in an outputs file. */
export const STACK_NAME = "Cinderless";

/** Context that keeps the template the same wherever it is synthesised. */
const CONTEXT = { "aws:cdk:version-reporting": false, "aws:cdk:enable-path-metadata": false };

/**
 * Synthesises the app in this process, as the CDK CLI would: the template, and the bundles as assets.
 *
 * @param outputDirectory becomes the cloud assembly
 * @param context as `-c` would give it
 */
export async function synthesize(
  outputDirectory: string,
  context: Record<string, unknown> = {},
): Promise<CloudAssembly> {
  const app = new App({ outdir: outputDirectory, context: { ...CONTEXT, ...context } });
  new CinderlessStack(app, STACK_NAME, { codeOf: await bundleFunctions(`${outputDirectory}/bundles`) });
  return app.synth();
}
