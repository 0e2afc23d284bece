import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const PACKAGE = new URL("../../", import.meta.url);

it("the example of the README runs as it is and prints what the README says", async () => {
  const readme = readFileSync(new URL("README.md", PACKAGE), "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const printed = /It prints `(.*?)`\./.exec(readme)?.[1];

  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", example], {
    cwd: fileURLToPath(PACKAGE),
  });

  expect(stdout).toBe(`${printed}\n`);
});
