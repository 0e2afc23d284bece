// @ts-nocheck
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { definitionText, inlineTemplate, localFunctionArn } from "../infra/inline-template.ts";

const USAGE = `Usage: npm run asl -- [--output FILE]

Writes the workflow's definition in the Amazon States Language, as the CDK app synthesises it, with the functions' ARNs of
this machine (${localFunctionArn("ExtractVolumeRef").replace("ExtractVolumeRef", "NAME")}).

  --output FILE  where to write it (default: dist/create-volume.asl.json)`;

try {
  const { values } = parseArgs({
    options: {
      output: { type: "string", default: "dist/create-volume.asl.json" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
  } else {
    const definition: unknown = JSON.parse(definitionText(inlineTemplate(), localFunctionArn));
    await mkdir(path.dirname(values.output), { recursive: true });
    await writeFile(values.output, `${JSON.stringify(definition, null, 2)}\n`);
    console.log(values.output);
  }
} catch (error) {
  console.error(`asl: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
