import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { bundleFunctions } from "./bundle.ts";
import { CinderlessStack } from "./cinderless-stack.ts";
import { STACK_NAME } from "./synthesize.ts";

/** The CDK app: what `npx cdk synth` and `npx cdk deploy` run. A finding of the policy packs ends it. */
const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
new CinderlessStack(app, STACK_NAME, { codeOf: await bundleFunctions("dist/bundles") });
