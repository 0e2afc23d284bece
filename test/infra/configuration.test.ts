import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS, type SchedulerSettings } from "../../core/scheduling/settings.ts";
import { functionNameIn, inlineTemplate, type Template } from "../../infra/inline-template.ts";
import { backendsOf } from "../support/code-files.ts";

/** A variable of a function, as the JSON that it is. */
function variable(template: Template, functionName: string, name: string): unknown {
  const [, resource] =
    Object.entries(template.Resources).find(
      ([id, { Type }]) => Type === "AWS::Lambda::Function" && functionNameIn(id) === functionName,
    ) ?? [];
  const environment = resource?.Properties?.["Environment"] as { Variables: Record<string, string> } | undefined;
  return JSON.parse(environment?.Variables[name] ?? "null");
}

const CUSTOM = { host: "node@gold", driver: "file", options: { directory: "/mnt/gold" } };
const backends = (context: Record<string, unknown>) => backendsOf(context);
const settings = (context: Record<string, unknown>) =>
  variable(inlineTemplate(context), "ScheduleVolume", "SCHEDULER_SETTINGS");

describe("the backends", () => {
  it("are two directories when the context names none", () => {
    expect(backends({})).toMatchObject([
      { host: "cinderless@first", driver: "file", options: { directory: "/mnt/volumes/first" } },
      { host: "cinderless@second", driver: "file", options: { directory: "/mnt/volumes/second" } },
    ]);
  });

  it.each([
    ["a value", [CUSTOM]],
    ["JSON, as the command line gives it", JSON.stringify([CUSTOM])],
  ])("come from the context, as %s", (_as, value) => {
    expect(backends({ backends: value })).toMatchObject([{ ...CUSTOM, availability_zone: "nova" }]);
  });

  it("never use the driver for tests unless they are configured to", () => {
    expect(backends({})).toEqual([
      expect.objectContaining({ driver: "file" }),
      expect.objectContaining({ driver: "file" }),
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ["is not valid JSON", "[{", /context backends is not valid JSON/],
    ["is not a list", { host: "a@b" }, /backends/],
    ["is empty", [], /at least one backend/],
    ["has a host without a backend", [{ ...CUSTOM, host: "node" }], /0\.host: host must be host@backend/],
    ["has a host with a path", [{ ...CUSTOM, host: "../x@y" }], /host must be host@backend/],
    ["names no driver", [{ host: "a@b" }], /driver/],
    [
      "names an unknown driver",
      [{ ...CUSTOM, driver: "tape" }],
      /node@gold: unknown driver tape; allowed: file, fault/,
    ],
    ["has an unknown key", [{ ...CUSTOM, reserved: 5 }], /backends: node@gold: unknown option reserved; allowed: host/],
    [
      "has a misspelled option",
      [{ ...CUSTOM, options: { directory: "/a", capacityGb: 50 } }],
      /backend node@gold: unknown option capacityGb; did you mean capacity_gb\? allowed: directory/,
    ],
    ["has a relative directory", [{ ...CUSTOM, options: { directory: "volumes" } }], /node@gold.*absolute path/],
    ["names a host twice", [CUSTOM, CUSTOM], /duplicate host node@gold/],
    ["reserves more than all", [{ ...CUSTOM, reserved_percentage: 101 }], /reserved_percentage/],
    [
      "has more backends than are supported",
      Array.from({ length: 1001 }, (_, index) => ({ ...CUSTOM, host: `node@${index}` })),
      /backends: at most 1000 backends, not 1001/,
    ],
  ])("are refused, with what is wrong, when the context %s", (_what, value, message) => {
    expect(() => inlineTemplate({ backends: value })).toThrow(message);
  });
});

describe("the scheduler's settings", () => {
  it("are the product's defaults when the context names none", () => {
    expect(settings({})).toEqual(DEFAULT_SETTINGS);
  });

  it("come from the context", () => {
    expect(settings({ scheduler: { scheduler_max_attempts: 5 } })).toMatchObject({ scheduler_max_attempts: 5 });
  });

  it("call a backend down only after two and a half intervals of its reports", () => {
    const down = (context: Record<string, unknown>) => (settings(context) as SchedulerSettings).service_down_time;
    expect(down({})).toBe(300);
    expect(down({ time_bounds: { report_interval_seconds: 120 } })).toBe(300);
    expect(down({ time_bounds: { report_interval_seconds: 900 } })).toBe(2250);
    expect(down({ time_bounds: { report_interval_seconds: 900 }, scheduler: { service_down_time: 3000 } })).toBe(3000);
  });

  it.each<[unknown, RegExp]>([
    [{ service_down_time: 100 }, /service_down_time must be at least 150, 2.5 times report_interval_seconds/],
    [{ service_down_time: 0 }, /service_down_time must be a whole number/],
    [{ max_attempts: 5 }, /there is no scheduler setting max_attempts/],
    [{ scheduler_max_attempts: 0 }, /scheduler_max_attempts/],
    [{ scheduler_default_filters: ["Nope"] }, /scheduler_default_filters names Nope/],
    ["{", /context scheduler is not valid JSON/],
  ])("are refused, with what is wrong: %j", (value, message) => {
    expect(() => inlineTemplate({ scheduler: value })).toThrow(message);
  });
});

describe("the audit's schedule", () => {
  const rule = (audit: unknown, context: Record<string, unknown> = {}) => {
    const found = Object.entries(inlineTemplate({ audit, ...context }).Resources).find(([id]) =>
      id.startsWith("NetsAuditSchedule"),
    );
    return found?.[1].Properties as { ScheduleExpression: string; Targets: { Input: string }[] };
  };

  it("comes from the context", () => {
    const { ScheduleExpression, Targets } = rule({ interval_minutes: 15, reap: true, older_than_hours: 48 });
    expect(ScheduleExpression).toBe("rate(15 minutes)");
    expect(JSON.parse(Targets[0]?.Input ?? "null")).toEqual({ reap: true, older_than_hours: 48, max_reap: 25 });
  });

  it("waits no shorter than the longest phase of the deployment", () => {
    const context = { time_bounds: { copying_seconds: 7200 } };
    expect(() => rule({ older_than_hours: 1 }, context)).toThrow(/at least 2, the longest phase/);
    expect(rule({ older_than_hours: 2 }, context).ScheduleExpression).toBe("rate(1 hour)");
  });

  it.each<[unknown, RegExp]>([
    [{ interval_minutes: 1 }, /interval_minutes must be a whole number from 5 to 1440/],
    [{ older_than_hours: 0 }, /older_than_hours must be at least 1/],
    [{ reap: "no" }, /reap must be true or false/],
    [{ hosts: [] }, /hosts/],
  ])("%j is refused", (audit, message) => {
    expect(() => rule(audit)).toThrow(message);
  });
});

describe("the era of the notifications", () => {
  const era = (context: Record<string, unknown>) => {
    const functions = Object.entries(inlineTemplate(context).Resources).filter(
      ([, { Type }]) => Type === "AWS::Lambda::Function",
    );
    return new Set(
      functions.flatMap(([, { Properties }]) => {
        const { Variables } = (Properties?.["Environment"] ?? {}) as { Variables?: Record<string, unknown> };
        return Variables !== undefined && "NOTIFICATIONS_TOPIC_ARN" in Variables ? [Variables["NOTIFICATION_ERA"]] : [];
      }),
    );
  };

  it("is Cinder's latest when the context names none", () => {
    expect(era({})).toEqual(new Set(["zed"]));
  });

  it("comes from the context, for every function that notifies", () => {
    expect(era({ notification_era: "icehouse" })).toEqual(new Set(["icehouse"]));
  });

  it.each(["juno", 7, ""])("%j ends synthesis with a line that names it", (value) => {
    expect(() => inlineTemplate({ notification_era: value })).toThrow("notification_era must be icehouse or zed");
  });
});

describe("the image services", () => {
  const services = (context: Record<string, unknown>) =>
    variable(inlineTemplate(context), "CopyImageToVolume", "IMAGE_SERVICES");
  const GLANCE = { glance: { api_servers: ["https://glance.example/image"] } };

  it("are the bucket when the context names none", () => {
    expect(services({})).toBeNull();
    expect(inlineTemplate().Outputs["DefaultImageService"]?.Value).toBe("bucket");
  });

  it.each([
    ["a value", GLANCE],
    ["JSON, as the command line gives it", JSON.stringify(GLANCE)],
  ])("come from the context, as %s", (_as, value) => {
    expect(services({ image_services: value })).toMatchObject({ ...GLANCE, default: "glance" });
    expect(inlineTemplate({ image_services: value }).Outputs["DefaultImageService"]?.Value).toBe("glance");
  });

  it.each<[string, unknown, RegExp]>([
    ["is not valid JSON", "{", /context image_services is not valid JSON/],
    ["has a Glance without servers", { glance: {} }, /image_services: glance\.api_servers/],
    [
      "holds a secret",
      { glance: { ...GLANCE.glance, auth: { type: "fixed_token", secret: "s", token: "t" } } },
      /glance\.auth\.token/,
    ],
    [
      "is too large for a function's environment",
      { glance: { api_servers: Array.from({ length: 200 }, (_, index) => `https://glance-${index}.example`) } },
      /image_services: \d+ bytes of JSON do not fit/,
    ],
  ])("are refused, with the reason, when the context %s", (_what, value, reason) => {
    expect(() => inlineTemplate({ image_services: value })).toThrow(reason);
  });
});
