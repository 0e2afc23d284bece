// @ts-nocheck
import { InvalidInput } from "../core/errors.ts";
import { bundleFunctions } from "./bundle.ts";
import { STACK_NAME } from "./synthesize.ts";

/**
 * The CDK app: what `npx cdk synth` and `npx cdk deploy` run. A finding of the policy packs ends it; so does a wrong key of the
 * context, with one line. The bundler, a process of its own, begins before the CDK and the packs are loaded.
 *
 * cdk.json has Node compile WebAssembly without optimising it: CloudFormation's rules are 9 MB of it, which run once.
 */
const bundling = bundleFunctions("dist/bundles");
const [{ App, Validations }, { AwsSolutionsChecks, ServerlessChecks }, { CinderlessStack }] = await Promise.all([
  import("aws-cdk-lib"),
  import("cdk-nag"),
  import("./cinderless-stack.ts"),
]);
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
const codeOf = await bundling;
try {
  new CinderlessStack(app, STACK_NAME, { codeOf });
} catch (error) {
  if (!(error instanceof InvalidInput)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
