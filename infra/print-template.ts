import { fileURLToPath } from "node:url";
import { InvalidInput } from "../core/errors.ts";
import { SETTINGS_FILE } from "./deployment-file.ts";
import { inlineTemplate } from "./inline-template.ts";

/** Writes the stack's template, with the settings of deployment.json and without the functions' code, to the output: for `cinderless cost`. */
try {
  const template = inlineTemplate({}, fileURLToPath(new URL(`../${SETTINGS_FILE}`, import.meta.url)));
  process.stdout.write(JSON.stringify(template));
} catch (error) {
  if (!(error instanceof InvalidInput)) {
    throw error;
  }
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
