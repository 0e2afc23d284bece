import type { CloudAssembly } from "aws-cdk-lib/cx-api";
import type { Plugin } from "esbuild";
import { bundleChangedFunctions, bundleFunctions } from "./bundle.ts";
import { moduleDrivers } from "./module-drivers.ts";

/**
 * Synthesises the app in this process, as the CDK CLI would: the template, and the bundles as assets. It leaves out the construct tree, and
 * the CDK's own check of the template against CloudFormation's rules, which `cdk synth` runs and which takes longer than everything else.
 * The CDK loads while the bundler, a separate process, works.
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
  const plugins = [...bundlerPlugins, ...moduleDrivers(context["backends"])];
  const bundling = plugins.length === 0 ? bundleChangedFunctions(bundles) : bundleFunctions(bundles, plugins);
  const [codeOf, { createCinderlessApp }] = await Promise.all([bundling, import("./cinderless-app.ts")]);
  return createCinderlessApp({ codeOf, outdir: outputDirectory, context, onThisMachine: true }).app.synth();
}
