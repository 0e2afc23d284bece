import { definitionText, inlineTemplate, localFunctionArn } from "../../infra/inline-template.ts";
import { iamFindings } from "./iam-actions.ts";
import { schemaFindings } from "./resource-schemas.ts";
import { statesLanguageFindings } from "./states-language.ts";

/** The templates that are checked: every optional part of the stack is in one of them. */
const CONTEXTS: Readonly<Record<string, Record<string, unknown>>> = {
  "the default settings": {},
  "every optional part": {
    customerManagedKey: true,
    removalPolicy: "destroy",
    alarmRecipients: ["a@example.org"],
    time_bounds: { copying_seconds: 7200 },
    backends: [
      { host: "node@cached", driver: "file", options: { directory: "/mnt/1" }, image_volume_cache_enabled: true },
    ],
    image_services: { glance: { api_servers: ["https://glance.example"], auth: { type: "passed_token" } } },
  },
  "no file system": { fileSystem: "none", observability: "none" },
};

/**
 * `npm run check:template`: the synthesised template against CloudFormation's resource schemas, its policies against the list of IAM actions,
 * and the workflow against three linters. Exit status 1 with one line for each finding.
 */
const findings: string[] = [];
for (const [name, context] of Object.entries(CONTEXTS)) {
  const template = inlineTemplate(context);
  const found = [
    ...schemaFindings(template),
    ...(await iamFindings(template)),
    ...(await statesLanguageFindings(definitionText(template, localFunctionArn))),
  ];
  findings.push(...found.map((finding) => `${name}: ${finding}`));
}
for (const finding of findings) {
  process.stderr.write(`${finding}\n`);
}
process.exitCode = findings.length === 0 ? 0 : 1;
