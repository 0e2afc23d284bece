// @ts-nocheck
import type { CloudAssembly } from "aws-cdk-lib/cx-api";
import type { Plugin } from "esbuild";
import cdk from "../cdk.json" with { type: "json" };
import { bundleChangedFunctions, bundleFunctions } from "./bundle.ts";

/** Name of the stack, and of its entry in an outputs file. */
export const STACK_NAME = "Cinderless";

/** What the CDK CLI would read from cdk.json, so that the template is the same wherever it is synthesised. */
const CONTEXT = {
  ...cdk.context,
  "aws:cdk:version-reporting": cdk.versionReporting,
  "aws:cdk:enable-path-metadata": cdk.pathMetadata,
};

/**
 * Synthesises the app in this process, as the CDK CLI would: the template, and the bundles as assets. It leaves out what only
 * serves people: the construct tree, and the CDK's own check of the template against CloudFormation's rules (`cdk synth` does
 * it, and it takes longer than all the rest). The CDK is loaded while the bundler, a process of its own, works.
 *
 * @param outputDirectory becomes the cloud assembly
 * @param context as `-c` would give it
 * @param bundlerPlugins see `bundleFunctions`
 */
export async function synthesize(
  outputDirectory: string,
  context: Record<string, unknown> = {},
  bundlerPlugins: readonly Plugin[] = [],
): Promise<CloudAssembly> {
  const bundles = `${outputDirectory}/bundles`;
  const bundling =
    bundlerPlugins.length === 0 ? bundleChangedFunctions(bundles) : bundleFunctions(bundles, bundlerPlugins);
  const loading = Promise.all([import("aws-cdk-lib"), import("./cinderless-stack.ts")]);
  const [codeOf, [{ App }, { CinderlessStack }]] = await Promise.all([bundling, loading]);
  const app = new App({
    outdir: outputDirectory,
    context: { ...CONTEXT, ...context },
    builtinCloudFormationValidation: false,
    treeMetadata: false,
  });
  new CinderlessStack(app, STACK_NAME, { codeOf });
  return app.synth();
}
