import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { InvalidInput } from "../core/errors.ts";
import { bundleFunctions } from "./bundle.ts";
import { CinderlessStack } from "./cinderless-stack.ts";
import { STACK_NAME } from "./synthesize.ts";

/** The CDK app: what `npx cdk synth` and `npx cdk deploy` run. A finding of the policy packs ends it; so does a wrong key of the context, with one line. */
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
const codeOf = await bundleFunctions("dist/bundles");
try {
  new CinderlessStack(app, STACK_NAME, { codeOf });
} catch (error) {
  if (!(error instanceof InvalidInput)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
