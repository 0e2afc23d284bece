import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);

it("ends the synthesis of a wrong context with one line that names the key", { timeout: 60_000 }, async () => {
  const env = { ...process.env, CDK_CONTEXT_JSON: JSON.stringify({ backends: "nonsense" }) };
  const run = promisify(execFile)(process.execPath, ["infra/app.ts"], { cwd: ROOT, env });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: "Invalid input received: context backends is no JSON\n",
  });
});
