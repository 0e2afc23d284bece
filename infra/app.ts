import path from "node:path";
import { fileURLToPath } from "node:url";
import { InvalidInput } from "../core/errors.ts";
import { bundleFunctions } from "./bundle.ts";
import { readDeployedSettings } from "./deployed-settings.ts";
import { SETTINGS_FILE, settingOfFile } from "./deployment-file.ts";
import { moduleDrivers } from "./module-drivers.ts";
import { checkSettingsChange, madeWith, recordFileOf } from "./settings-change.ts";

/** The settings that are read unless the context names another file. */
const DEFAULT_SETTINGS_FILE = fileURLToPath(new URL(`../${SETTINGS_FILE}`, import.meta.url));

/**
 * The CDK app that `npx cdk synth` and `npx cdk deploy` run, with the settings of deployment.json. A finding of the policy packs ends it,
 * and so does a wrong setting, with one line. The bundler is a separate process and starts before the CDK and the packs are loaded.
 *
 * cdk.json makes Node compile WebAssembly without optimising it: CloudFormation's rules are 9 MB of WebAssembly that run once.
 */
const bundling = (async () => {
  const context = JSON.parse(process.env["CDK_CONTEXT_JSON"] ?? "{}") as Record<string, unknown>;
  const { backends = settingOfFile(context, DEFAULT_SETTINGS_FILE, "backends") } = context;
  return bundleFunctions("dist/bundles", moduleDrivers(backends));
})();
// Awaited below, where a wrong module is reported in one line.
bundling.catch(() => {});
const [{ Validations }, { AwsSolutionsChecks, ServerlessChecks }, { addressOf, createCinderlessApp }] =
  await Promise.all([import("aws-cdk-lib"), import("cdk-nag"), import("./cinderless-app.ts")]);
try {
  const codeOf = await bundling;
  const made = createCinderlessApp({ codeOf, settingsFile: DEFAULT_SETTINGS_FILE, forPeople: true });
  const { app, stack, settingsFile = DEFAULT_SETTINGS_FILE } = made;
  const address = addressOf(stack, process.env);
  if (address !== undefined) {
    const recordFile = recordFileOf(settingsFile);
    const deployed = await readDeployedSettings(address, (reason) => {
      process.stderr.write(
        `Cannot compare the settings with the deployed stack ${address.stackName}, only with ${path.basename(recordFile)}: ${reason}\n`,
      );
    });
    checkSettingsChange(recordFile, address, madeWith(stack.deployment), deployed);
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
} catch (error) {
  if (!(error instanceof InvalidInput)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
