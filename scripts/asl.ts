import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import type { FunctionName } from "../core/settings/functions.ts";
import { definitionText, inlineTemplate, localFunctionArn } from "../infra/inline-template.ts";
import { FAIL_FUNCTION, FAIL_FUNCTION_SOURCE, forStepFunctionsLocal } from "../statemachine/step-functions-local.ts";

const USAGE = `Usage: npm run asl -- [--output FILE] [--step-functions-local]

Writes the workflow's definition in the Amazon States Language, as the CDK app synthesises it, with the functions' ARNs of
this machine (${localFunctionArn("ExtractVolumeRef").replace("ExtractVolumeRef", "NAME")}).

  --output FILE            where to write it (default: dist/create-volume.asl.json)
  --step-functions-local   for AWS Step Functions Local, which does not accept the original: without MaxDelaySeconds, and with a
                           task in place of the Fail state whose error is a path. The task's function, ${FAIL_FUNCTION}, is
                           written next to it, as ${FAIL_FUNCTION}/index.js`;

/** Also for a function that does not belong to the stack. */
const localArn = (name: string): string => localFunctionArn(name as FunctionName);

try {
  const { values } = parseArgs({
    options: {
      output: { type: "string", default: "dist/create-volume.asl.json" },
      "step-functions-local": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
  } else {
    const original = definitionText(inlineTemplate(), localFunctionArn);
    const converts = values["step-functions-local"];
    const definition: unknown = JSON.parse(converts ? forStepFunctionsLocal(original, localArn) : original);
    const directory = path.dirname(values.output);
    await mkdir(directory, { recursive: true });
    await writeFile(values.output, `${JSON.stringify(definition, null, 2)}\n`);
    if (converts) {
      await mkdir(path.join(directory, FAIL_FUNCTION), { recursive: true });
      await writeFile(path.join(directory, FAIL_FUNCTION, "index.js"), FAIL_FUNCTION_SOURCE);
    }
    console.log(values.output);
  }
} catch (error) {
  console.error(`asl: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
