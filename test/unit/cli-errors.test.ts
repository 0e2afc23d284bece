import { describe, expect, test } from "vitest";
import { CliError, explainError, UsageError } from "../../cli/errors.ts";
import { renderError } from "../../cli/output.ts";
import { VolumeNotFound } from "../../core/errors.ts";
import { recordedOutput, runCli, VOLUME_ID } from "../support/cli-context.ts";

function systemError(code: string, fields: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(`${code} happened`), { code, ...fields });
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

describe("a refused connection", () => {
  const refused = systemError("ECONNREFUSED", { address: "127.0.0.1", port: 4566 });

  test.each([
    ["plain", refused],
    ["of several addresses", Object.assign(new AggregateError([refused], ""), { code: "ECONNREFUSED" })],
    ["as a cause", new Error("request failed", { cause: refused })],
  ])("%s names the address and asks for the embedded cloud", (_what, error) => {
    expect(explainError(error)).toEqual({
      name: "ConnectionError",
      message: "the connection to 127.0.0.1:4566 is refused",
      hint: "is the embedded cloud running? Start it with: npm start",
      exitStatus: 1,
    });
  });

  test("an endpoint that is not a valid address is named", () => {
    const error = Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: "nowhere" });
    expect(explainError(error)).toMatchObject({
      message: "'nowhere' is not a valid address",
      hint: expect.stringContaining("AWS_ENDPOINT_URL_"),
    });
  });

  test("an answer that does not come from AWS is reported by its status", () => {
    const error = Object.assign(new Error("UnknownError"), { $metadata: { httpStatusCode: 503 } });
    expect(explainError(error).message).toContain("HTTP status 503");
  });

  test("a host that does not exist is named", () => {
    expect(explainError(systemError("ENOTFOUND", { hostname: "no.example" }))).toMatchObject({
      message: "the connection to no.example finds no such host",
      hint: expect.stringContaining("AWS_ENDPOINT_URL_"),
    });
  });
});

describe("hints", () => {
  test.each([
    [new VolumeNotFound(VOLUME_ID), "`cinderless list` shows the volumes"],
    [named("ResourceNotFoundException", "Requested resource not found"), "do the outputs belong to this deployment?"],
    [named("QueueDoesNotExist", "The specified queue does not exist."), "do the outputs belong to this deployment?"],
    [named("CredentialsProviderError", "Could not load credentials"), "check the AWS credentials"],
    [new CliError("as a function reports it", { name: "SnapshotNotFound" }), "`cinderless snapshot list`"],
    [new Error("Region is missing"), "check the AWS credentials and region"],
    [named("AccessDeniedException", "User is not authorized"), "check the AWS credentials"],
  ])("%s", (error, hint) => {
    expect(explainError(error).hint).toContain(hint);
  });

  test("an error that is not known has none", () => {
    expect(explainError(new TypeError("x is not a function"))).toMatchObject({ name: "TypeError", hint: null });
  });
});

describe("files", () => {
  test.each([
    ["ENOENT", "disk.raw: no such file"],
    ["EACCES", "disk.raw: permission denied"],
    ["EISDIR", "disk.raw: is a directory, not a file"],
  ])("%s", (code, message) => {
    expect(explainError(systemError(code, { path: "disk.raw" }))).toMatchObject({ name: "FileError", message });
  });
});

describe("a report", () => {
  test("is one line, whatever the message holds", () => {
    const report = explainError(new Error("first\n  at second\r\nthird\u001b[31m"));
    expect(renderError(recordedOutput(), report, false)).toBe("error: first at second third [31m\n");
  });

  test("an error without a message shows its name; any other thrown value shows itself", () => {
    expect(explainError(named("Timeout", "")).message).toBe("Timeout");
    expect(explainError("just text").message).toBe("just text");
    expect(explainError(null).message).toBe("null");
  });

  test("exit status is 2 for usage and 1 otherwise", () => {
    expect([explainError(new UsageError("x")).exitStatus, explainError(new CliError("x")).exitStatus]).toEqual([2, 1]);
  });
});

describe("run", () => {
  const failing = {
    volumes: {
      get: async () => {
        throw new Error("boom", { cause: new Error("deep down") });
      },
    },
  };

  test("shows no stack", async () => {
    expect((await runCli(["show", VOLUME_ID], failing)).stderr).toBe("error: boom\n");
  });

  test("with CINDERLESS_DEBUG shows it, and that of the cause", async () => {
    const { stderr } = await runCli(["show", VOLUME_ID], failing, { environment: { CINDERLESS_DEBUG: "1" } });
    expect(stderr).toMatch(/^error: boom\nError: boom\n {4}at /);
    expect(stderr).toContain("caused by Error: deep down");
  });

  test("with --json reports a document, and leaves the answer's stream alone", async () => {
    const { stdout, stderr, status } = await runCli(["show", VOLUME_ID, "--json"], failing);
    expect([status, stdout]).toEqual([1, ""]);
    expect(JSON.parse(stderr)).toEqual({ error: { name: "Error", message: "boom", hint: null } });
  });
});
