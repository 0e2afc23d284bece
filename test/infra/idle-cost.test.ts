import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { idleCost, type PricedTemplate } from "../../cli/cost/idle.ts";
import { inlineTemplate } from "../../infra/inline-template.ts";
import { runCli } from "../support/cli-context.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

const partOf = (context: Record<string, unknown>, part: string): number | undefined =>
  idleCost(inlineTemplate(context)).parts.find((each) => each.part === part)?.cost;

const glance = (auth: Record<string, unknown>) => ({
  image_services: { glance: { api_servers: ["https://glance.example"], auth } },
});

describe("the idle cost of the stack", () => {
  const { cost, parts } = idleCost(inlineTemplate());

  it("is the one that the README states, with its three largest parts", () => {
    const [, total, ...largest] =
      /idle stack (\d+\.\d+) USD a month at list prices: a dashboard (\d+\.\d+), alarms (\d+\.\d+), metrics (\d+\.\d+)/.exec(
        README.replaceAll("\n", " "),
      ) ?? [];
    expect(cost.toFixed(2)).toBe(total);
    expect(parts.slice(0, 3).map((part) => part.cost.toFixed(2))).toEqual(largest);
    expect(parts.slice(0, 3).map(({ part }) => part)).toEqual([
      "dashboards",
      "alarms",
      "metrics of the scheduled functions",
    ]);
  });

  it("without observability is the one that the README states, and below 5 USD", () => {
    const [, stated] = /"observability": "none"` it is (\d+\.\d+) USD/.exec(README.replaceAll("\n", " ")) ?? [];
    const small = idleCost(inlineTemplate({ observability: "none" })).cost;
    expect(small.toFixed(2)).toBe(stated);
    expect(small).toBeLessThan(5);
  });

  it("is at most 15 USD a month", () => {
    expect(cost).toBeLessThanOrEqual(15);
  });

  it("has no interface endpoint, also with a Glance that needs no secret", () => {
    expect(partOf({}, "interface endpoints")).toBeUndefined();
    expect(partOf(glance({ type: "none" }), "interface endpoints")).toBeUndefined();
  });

  it("has one endpoint in two zones with a Glance whose credentials are a secret", () => {
    expect(partOf(glance({ type: "fixed_token", secret: "s" }), "interface endpoints")).toBeCloseTo(2 * 730 * 0.01);
  });

  it("has a key with customerManagedKey", () => {
    expect(partOf({ customerManagedKey: true }, "keys")).toBe(1);
  });

  it("follows the schedules and the number of backends", () => {
    const reports = (context: Record<string, unknown>) => partOf(context, "ReportBackends, by its schedule") ?? 0;
    const backend = { host: "node@one", driver: "file", options: { directory: "/mnt/volumes/one" } };
    expect(reports({ backends: [backend] })).toBeLessThan(reports({}));
    expect(reports({ time_bounds: { report_interval_seconds: 120 } })).toBeCloseTo(reports({}) / 2);
  });

  it("refuses a resource whose price is not known", () => {
    const template: PricedTemplate = { Resources: { Gateway: { Type: "AWS::EC2::NatGateway" } } };
    expect(() => idleCost(template)).toThrow("the idle price of AWS::EC2::NatGateway is not known");
  });
});

describe("cinderless cost --idle", () => {
  const scratch = mkdtempSync(path.join(tmpdir(), "cinderless-idle-cost-"));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const file = path.join(scratch, "template.json");

  it("prices the template that deployment.json leads to", async () => {
    const { status, stdout } = await runCli(["cost", "--idle"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/in all .* 8\.43\n/);
  });

  it("prices the template of a file", async () => {
    writeFileSync(file, JSON.stringify({ Resources: { Key: { Type: "AWS::KMS::Key" } } }));
    const { stdout } = await runCli(["cost", "--idle", "--template", file, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ prices: { region: "us-east-1" } });
  });

  it.each([
    ["{}", /has no Resources/],
    ["{", /is not valid JSON/],
  ])("refuses a file that holds %s", async (text, message) => {
    writeFileSync(file, text);
    const { status, stderr } = await runCli(["cost", "--idle", "--template", file]);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });

  it.each([
    [["--idle", "4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f"], /leave the volume out/],
    [["--idle", "--volumes", "3"], /cannot be used with/],
    [["--volumes", "3", "--template", "x"], /--template belongs to --idle/],
  ])("refuses %j", async (args, message) => {
    const { status, stderr } = await runCli(["cost", ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
