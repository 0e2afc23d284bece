import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CliError, readTextFile } from "../errors.ts";
import type { PricedTemplate } from "./idle.ts";

const LARGEST_TEMPLATE_BYTES = 16 * 2 ** 20;

/**
 * The template of a file, or the one that the app synthesises with the settings of deployment.json. The app is a separate program, which
 * the command line does not load.
 *
 * Throws: CliError when the file is not a template, or the settings are wrong.
 */
export async function readTemplate(file: string | undefined): Promise<PricedTemplate> {
  const text = file === undefined ? await synthesize() : await readTextFile(file);
  let template: unknown;
  try {
    template = JSON.parse(text);
  } catch (error) {
    throw new CliError(`${file ?? "the synthesised template"} is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof template !== "object" || template === null || !("Resources" in template)) {
    throw new CliError(`${file ?? "the synthesised template"} has no Resources`, {
      hint: "`npx cdk synth` writes cdk.out/Cinderless.template.json",
    });
  }
  return template as PricedTemplate;
}

async function synthesize(): Promise<string> {
  const program = fileURLToPath(new URL("../../infra/print-template.ts", import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program], { maxBuffer: LARGEST_TEMPLATE_BYTES });
    return stdout;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? "";
    throw new CliError(`the template cannot be synthesised: ${said === "" ? (error as Error).message : said}`);
  }
}
