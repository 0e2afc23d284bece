import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { afterAll, describe, expect, it } from "vitest";
import { createCinderlessApp } from "../../infra/cinderless-app.ts";
import { INLINE_CODE } from "../../infra/inline-template.ts";

const glance = (auth: Record<string, unknown>) => ({
  image_services: { glance: { api_servers: ["https://glance.example"], auth } },
});

const CACHED = {
  host: "node@first",
  driver: "file",
  options: { directory: "/mnt/1" },
  image_volume_cache_enabled: true,
};

const CONTEXTS: [string, Record<string, unknown>][] = [
  ["as it is by default", {}],
  ["without a file system", { fileSystem: "none" }],
  ["under the customer's key", { customerManagedKey: "true" }],
  ["to be thrown away", { removalPolicy: "destroy" }],
  ["with Glance and one secret", glance({ type: "fixed_token", secret: "cinderless/glance" })],
  ["with Glance and the callers' tokens", glance({ type: "passed_token" })],
  ["with an image-volume cache", { backends: [CACHED] }],
  ["with somebody to alarm", { alarmRecipients: "a@example.org,b@example.org" }],
];

// An app makes its directory even when it is never synthesised.
const outdir = mkdtempSync(path.join(tmpdir(), "cinderless-policy-packs-"));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

const PACKS = [AwsSolutionsChecks, ServerlessChecks];

/** Findings without an acknowledgement, one line each: rule and construct. */
function findings(context: Record<string, unknown>): string[] {
  const { app } = createCinderlessApp({ codeOf: INLINE_CODE, outdir, context });
  return PACKS.flatMap((Pack) =>
    new Pack(app)
      .validateScope(app)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath = "" }) => `${ruleName} ${constructPath}`),
      ),
  );
}

describe.each(CONTEXTS)("a stack %s", (_what, context) => {
  it("has no finding that is not acknowledged", () => {
    expect(findings(context)).toEqual([]);
  });
});

it("a construct that breaks a rule is found", () => {
  const { app, stack } = createCinderlessApp({ codeOf: INLINE_CODE, outdir });
  new Queue(stack, "SpokenToInTheClear");
  const rules = new AwsSolutionsChecks(app).validateScope(app).violations.map(({ ruleName }) => ruleName);
  expect(rules).toContain("AwsSolutions-SQS4");
});
