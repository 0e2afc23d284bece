import { describe, expect, it } from "vitest";
import { functionsUsing } from "../../core/settings/functions.ts";
import { functionNameIn, inlineTemplate, type Template } from "../../infra/inline-template.ts";

const SHORT = {
  queued_seconds: 91,
  scheduled_seconds: 46,
  creating_seconds: 31,
  copying_seconds: 31,
  open_claim_seconds: 16,
  removal_seconds: 16,
  sweep_interval_seconds: 120,
  report_interval_seconds: 180,
  short_function_timeout_seconds: 3,
  long_function_timeout_seconds: 8,
};

function properties(template: Template, functionName: string): Record<string, unknown> {
  const found = Object.entries(template.Resources).find(
    ([id, { Type }]) => Type === "AWS::Lambda::Function" && functionNameIn(id) === functionName,
  );
  return found?.[1].Properties ?? {};
}

function resourcesOf(template: Template, type: string, idPrefix: string): Record<string, unknown>[] {
  return Object.entries(template.Resources)
    .filter(([id, { Type }]) => Type === type && id.startsWith(idPrefix))
    .map(([, { Properties = {} }]) => Properties);
}

describe("a deployment with bounds of its own", () => {
  const template = inlineTemplate({ time_bounds: SHORT });

  it("gives the functions their time-outs", () => {
    expect(properties(template, "CreateRawVolume")["Timeout"]).toBe(3);
    expect(properties(template, "CopyImageToVolume")["Timeout"]).toBe(8);
  });

  it.each(functionsUsing("deadlines"))("passes the bounds to %s", (name) => {
    const { Variables } = properties(template, name)["Environment"] as { Variables: Record<string, string> };
    expect(JSON.parse(Variables["PHASE_BOUNDS"] ?? "null")).toEqual({
      queued: 91,
      scheduled: 46,
      creating: 31,
      copying: 31,
      open_claim: 16,
      removal: 16,
      late_work: 8,
    });
  });

  it("hides a scheduler message for six time-outs of its function, as AWS recommends", () => {
    expect(resourcesOf(template, "AWS::SQS::Queue", "MessagingSchedulerQueue")).toEqual([
      expect.objectContaining({ VisibilityTimeout: 18 }),
    ]);
  });

  it("sweeps and reports at its own intervals", () => {
    const schedule = (id: string) => resourcesOf(template, "AWS::Events::Rule", id)[0]?.["ScheduleExpression"];
    expect(schedule("NetsSweepSchedule")).toBe("rate(2 minutes)");
    expect(schedule("NetsReportSchedule")).toBe("rate(3 minutes)");
  });
});

it("a deployment without bounds of its own needs no word of them", () => {
  expect(JSON.stringify(inlineTemplate())).not.toContain("PHASE_BOUNDS");
});

it.each<[unknown, RegExp]>([
  [{ queued_second: 900 }, /time_bounds: there is no queued_second/],
  [{ queued_seconds: 100 }, /time_bounds: queued_seconds must be more than 900/],
  ["{", /context time_bounds is not valid JSON/],
])("are refused, with what is wrong: %j", (value, message) => {
  expect(() => inlineTemplate({ time_bounds: value })).toThrow(message);
});
