import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = new URL("../../", import.meta.url);

it("ends the synthesis of a wrong context with one line that names the key", async () => {
  using temporary = temporaryDirectory();
  const env = {
    ...process.env,
    CDK_CONTEXT_JSON: JSON.stringify({ backends: "nonsense" }),
    CDK_OUTDIR: path.join(temporary.path, "cdk.out"),
  };
  const run = promisify(execFile)(process.execPath, ["infra/app.ts"], { cwd: ROOT, env });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: "Invalid input received: context backends is not valid JSON\n",
  });
});

it("finds the drivers outside this tree that the settings file names, and says which module is not there", async () => {
  using temporary = temporaryDirectory();
  const settings = path.join(temporary.path, "deployment.json");
  writeFileSync(settings, JSON.stringify({ backends: [{ host: "storage@mine", module: "./nowhere.js" }] }));
  const env = {
    ...process.env,
    CDK_CONTEXT_JSON: JSON.stringify({ deployment: settings }),
    CDK_OUTDIR: path.join(temporary.path, "cdk.out"),
  };
  const run = promisify(execFile)(process.execPath, ["infra/app.ts"], { cwd: ROOT, env });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/backends: storage@mine: there is no module .*nowhere\.js/) as string,
  });
});
