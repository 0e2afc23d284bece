import { App } from "aws-cdk-lib";
import { bundleFunctions } from "./bundle.ts";
import { CinderlessStack } from "./cinderless-stack.ts";
import { STACK_NAME } from "./synthesize.ts";

/** The CDK app: what `npx cdk synth` and `npx cdk deploy` run. */
new CinderlessStack(new App(), STACK_NAME, { codeOf: await bundleFunctions("dist/bundles") });
