import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { shellCode } from "../../local/environment-files.ts";

const VARIABLES = {
  AWS_ENDPOINT_URL: "http://127.0.0.1:1",
  AWS_ACCESS_KEY_ID: "local",
  AWS_REGION: "us-east-1",
  CINDERLESS_OUTPUTS: "/tmp/it's here/outputs.json",
};

/** The variables of a shell after the script, of those that are of interest. */
function after(script: string, environment: Record<string, string> = {}): Record<string, string> {
  const env = { PATH: process.env["PATH"] ?? "", ...environment };
  const output = execFileSync("sh", ["-ec", `${script}\nenv`], { env, encoding: "utf8" });
  const lines = output.split("\n").flatMap((line) => (/^(AWS|CINDERLESS|_cinder)/.test(line) ? [line] : []));
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))) as Record<string, string>;
}

const OWN = {
  AWS_PROFILE: "mine",
  AWS_ACCESS_KEY_ID: "AKIA",
  AWS_SESSION_TOKEN: "a b'c$d",
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true",
};

describe("environment.sh", () => {
  it("sets the variables, and takes away what would lead elsewhere", () => {
    expect(after(shellCode(VARIABLES), OWN)).toEqual(VARIABLES);
  });

  it("gives the shell's own variables back by cinderless_off", () => {
    expect(after(`${shellCode(VARIABLES)}\ncinderless_off`, OWN)).toEqual(OWN);
    expect(after(`${shellCode(VARIABLES)}\ncinderless_off`)).toEqual({});
  });

  it("gives them back as well when it was sourced twice, and for two clouds", () => {
    const other = shellCode({ ...VARIABLES, AWS_ENDPOINT_URL: "http://127.0.0.1:2", AWS_ENDPOINT_URL_SQS: "x" });
    expect(after(`${shellCode(VARIABLES)}\n${other}\n${other}\ncinderless_off`, OWN)).toEqual(OWN);
  });

  it("has a cinderless_off that is gone once it was called", () => {
    expect(() => after(`${shellCode(VARIABLES)}\ncinderless_off\ncinderless_off`)).toThrow(/Command failed/);
  });
});
