import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runChild, startChild } from "../support/child.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** `cinderless env -- COMMAND` as a process, with the files that an embedded cloud leaves. */

const COMMAND = "cli/cinderless.js";

const VARIABLES = {
  AWS_ENDPOINT_URL: "http://127.0.0.1:1",
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "local",
  CINDERLESS_OUTPUTS: "/somewhere/outputs.json",
};

/** A person's own variables, all of which would lead the AWS CLI elsewhere. */
const OWN = {
  AWS_PROFILE: "mine",
  AWS_ACCESS_KEY_ID: "AKIA",
  AWS_SESSION_TOKEN: "own",
  AWS_REGION: "eu-west-1",
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true",
};

const temporary = temporaryDirectory();
afterAll(() => temporary[Symbol.dispose]());
const outputs = path.join(temporary.path, "outputs.json");
writeFileSync(outputs, "{}");
writeFileSync(path.join(temporary.path, "environment.json"), JSON.stringify(VARIABLES));

const PRINT = `console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(AWS|CINDERLESS)_/.test(name)))))`;

describe("cinderless env -- COMMAND", () => {
  it("gives the command the cloud's variables in place of the person's own", async () => {
    const run = await runChild(COMMAND, ["env", "--outputs", outputs, "--", process.execPath, "-e", PRINT], OWN);
    expect({ ...run, stdout: JSON.parse(run.stdout) as unknown }).toMatchObject({
      status: 0,
      stdout: VARIABLES,
      stderr: "",
    });
    expect(Object.keys(JSON.parse(run.stdout) as object).toSorted()).toEqual(Object.keys(VARIABLES).toSorted());
  });

  it("hands over every argument as it is, also those that look like its own options", async () => {
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    const args = ["--json", "--outputs", "x", "a b", "", "--", "--help"];
    const run = await runChild(COMMAND, [
      "--outputs",
      outputs,
      "env",
      "--",
      process.execPath,
      "-e",
      script,
      "--",
      ...args,
    ]);
    expect(JSON.parse(run.stdout)).toEqual(args);
  });

  it.each([0, 1, 3, 255])("ends with the command's exit status %i, and adds nothing", async (status) => {
    const run = await runChild(COMMAND, ["--json", "--outputs", outputs, "env", "--", "sh", "-c", `exit ${status}`]);
    expect(run).toMatchObject({ status, stdout: "", stderr: "" });
  });

  it("ends with 128 and the signal's number when a signal ended the command", async () => {
    const run = await runChild(COMMAND, ["--outputs", outputs, "env", "--", "sh", "-c", "kill -TERM $$"]);
    expect(run).toMatchObject({ status: 143, stderr: "" });
  });

  it("leaves Ctrl-C, which reaches both processes, to the command, and waits for its end", async () => {
    // In a process group of its own, as a terminal makes one for a command line: 0 is everybody in it.
    const script =
      'trap "echo cleaned up; exit 9" INT; kill -INT 0; i=0; while [ $((i += 1)) -lt 600 ]; do sleep 0.05; done';
    const child = startChild(COMMAND, ["--outputs", outputs, "env", "--", "sh", "-c", script], {}, ["setsid"]);
    expect(await child.ended).toMatchObject({ status: 9, stdout: "cleaned up\n", stderr: "" });
  });

  it("passes SIGTERM on to the command", async () => {
    const script =
      'trap "echo cleaned up; exit 7" TERM; echo started; i=0; while [ $((i += 1)) -lt 600 ]; do sleep 0.05; done';
    const child = startChild(COMMAND, ["--outputs", outputs, "env", "--", "sh", "-c", script]);
    await child.says("started");
    child.kill("SIGTERM");
    expect(await child.ended).toMatchObject({ status: 7, stdout: "started\ncleaned up\n" });
  });

  it("names a command that does not exist, with the exit status of shells", async () => {
    const run = await runChild(COMMAND, ["--outputs", outputs, "env", "--", "no-such-command"]);
    expect(run).toMatchObject({ status: 127, stdout: "" });
    expect(run.stderr).toContain("cannot run 'no-such-command': there is no such command on the PATH");
  });

  it("says what is missing where no embedded cloud has left its variables", async () => {
    const bare = path.join(temporary.path, "bare");
    mkdirSync(bare, { recursive: true });
    const run = await runChild(COMMAND, ["--outputs", path.join(bare, "outputs.json"), "env", "--", "true"]);
    expect(run.status).toBe(1);
    expect(run.stderr).toContain("there is no environment.json next to");
    expect(run.stderr).toContain("npm start");
  });

  it("is for an embedded cloud, and says so of a deployed stack", async () => {
    expect(await runChild(COMMAND, ["--stack", "Cinderless", "env", "--", "true"])).toMatchObject({ status: 2 });
  });
});
