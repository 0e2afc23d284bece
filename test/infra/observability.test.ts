import { describe, expect, it } from "vitest";
import { inlineTemplate } from "../../infra/inline-template.ts";

type Resources = ReturnType<typeof inlineTemplate>["Resources"];

function typesIn(resources: Resources): Set<string> {
  return new Set(Object.values(resources).map(({ Type }) => Type));
}

function alarmsIn(resources: Resources): Record<string, unknown>[] {
  return Object.values(resources).flatMap(({ Type, Properties = {} }) =>
    Type === "AWS::CloudWatch::Alarm" ? [Properties] : [],
  );
}

describe("observability=none", () => {
  const full = inlineTemplate().Resources;
  const none = inlineTemplate({ observability: "none" }).Resources;

  it("omits the dashboard and the saved queries, and nothing else but alarms", () => {
    const kept = typesIn(none);
    const omitted = [...typesIn(full)].filter((type) => !kept.has(type));
    expect(omitted.toSorted()).toEqual(["AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition"]);
  });

  it("keeps the alarms on one metric and omits those on metric math", () => {
    const isMath = (alarm: Record<string, unknown>): boolean => alarm["Metrics"] !== undefined;
    expect(alarmsIn(full).some(isMath)).toBe(true);
    expect(alarmsIn(none).some(isMath)).toBe(false);
    expect(alarmsIn(none)).toHaveLength(alarmsIn(full).filter((alarm) => !isMath(alarm)).length);
  });

  it("is refused with another word", () => {
    expect(() => inlineTemplate({ observability: "some" })).toThrow("context observability must be full or none, not");
  });
});
