import { describe, expect, it } from "vitest";
import { failedItems } from "../../src/event-sources/sqs-event-source.ts";
import { matchesPattern, patternProblems } from "../../src/events/event-pattern.ts";
import { parseRate, ScheduleExpressionError } from "../../src/events/schedule-expression.ts";
import { functionNameOf } from "../../src/functions/function-emulator.ts";
import { prepareDefinition } from "../../src/states/asl-definition.ts";
import { exceedsDataLimit } from "../../src/states/history.ts";

const FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:Name";

function prepare(states: object, machine: object = {}) {
  return prepareDefinition(JSON.stringify({ StartAt: Object.keys(states)[0], States: states, ...machine }));
}

function prepared(states: object): Record<string, Record<string, unknown>> {
  const result = prepare(states);
  if ("problems" in result) throw new Error(result.problems.join("; "));
  return result.definition.States as unknown as Record<string, Record<string, unknown>>;
}

describe("a definition", () => {
  it("has the engine wait a minute longer than the task, and for ever where it would take one minute", () => {
    expect(prepared({ A: { Type: "Task", Resource: FUNCTION_ARN, End: true } })["A"]?.["TimeoutSeconds"]).toBe(
      2_147_483,
    );
    expect(
      prepared({ A: { Type: "Task", Resource: FUNCTION_ARN, TimeoutSeconds: 99_999_999, End: true } })["A"]?.[
        "TimeoutSeconds"
      ],
    ).toBe(2_147_483);
    expect(
      prepared({ A: { Type: "Task", Resource: FUNCTION_ARN, TimeoutSeconds: 5, End: true } })["A"]?.["TimeoutSeconds"],
    ).toBe(65);
  });

  it("has tests for false turned into negations, in nested rules too", () => {
    const rule = {
      Or: [
        { Variable: "$.a", IsNull: false },
        { Variable: "$.b", IsString: true },
      ],
      Next: "B",
    };
    const { A } = prepared({ A: { Type: "Choice", Choices: [rule], Default: "B" }, B: { Type: "Succeed" } });
    expect(A?.["Choices"]).toEqual([
      { Or: [{ Not: { Variable: "$.a", IsNull: true } }, { Variable: "$.b", IsString: true }], Next: "B" },
    ]);
  });

  it("loses a ResultPath of the root", () => {
    const Catch = [{ ErrorEquals: ["States.ALL"], ResultPath: "$", Next: "A" }];
    const { A } = prepared({ A: { Type: "Task", Resource: FUNCTION_ARN, ResultPath: "$", Catch, End: true } });
    expect(A).not.toHaveProperty("ResultPath");
    expect(A?.["Catch"]).toEqual([{ ErrorEquals: ["States.ALL"], Next: "A" }]);
  });

  it.each([
    ["no JSON", "{", /not valid JSON/],
    ["no start", '{"States":{}}', /needs States and a StartAt/],
    [
      "JSONata",
      '{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Succeed"}}}',
      /QueryLanguage JSONata is not supported/,
    ],
    [
      "a dangling Next",
      '{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}',
      /state A leads to B, which is not defined/,
    ],
    [
      "a falsy Result",
      '{"StartAt":"A","States":{"A":{"Type":"Pass","Result":0,"End":true}}}',
      /Result of 0 is not supported/,
    ],
    [
      "$$.State",
      '{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"r.$":"$$.State.RetryCount"},"End":true}}}',
      /\$\$\.State and/,
    ],
    [
      "a wait of a year",
      '{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":31536000,"End":true}}}',
      /Seconds above 2147483/,
    ],
    ["an unknown type", '{"StartAt":"A","States":{"A":{"Type":"Loop"}}}', /type Loop is not supported/],
    ["branches", '{"StartAt":"A","States":{"A":{"Type":"Parallel"}}}', /type Parallel is not supported/],
    ["an iteration", '{"StartAt":"A","States":{"A":{"Type":"Map"}}}', /type Map is not supported/],
  ])("with %s is refused", (_what, source, problem) => {
    const result = prepareDefinition(source);
    expect("problems" in result && result.problems.join("\n")).toMatch(problem);
  });

  it("names the function of each task", () => {
    const Task = { Type: "Task", Resource: `${FUNCTION_ARN}:live` };
    const result = prepare({ First: { ...Task, Next: "Last" }, Last: { ...Task, End: true } });
    expect("taskFunctions" in result && [...result.taskFunctions]).toEqual([
      ["First", "Name"],
      ["Last", "Name"],
    ]);
  });
});

describe("the data limit", () => {
  it.each([
    ["a".repeat(262_144), false],
    ["a".repeat(262_145), true],
    ["é".repeat(131_072), false],
    ["é".repeat(131_073), true],
  ])("counts bytes of UTF-8", (text, exceeded) => {
    expect(exceedsDataLimit(text)).toBe(exceeded);
  });
});

describe("a schedule expression", () => {
  it.each([
    ["rate(1 minute)", 60],
    ["rate(5 minutes)", 300],
    ["rate(2 hours)", 7200],
    ["rate(1 day)", 86_400],
  ])("%s is every %i seconds", (expression, periodSeconds) => {
    expect(parseRate(expression)).toBe(periodSeconds);
  });

  it.each([
    "rate(1 minutes)",
    "rate(5 minute)",
    "rate(0 minutes)",
    "rate(25 days)",
    "cron(0 12 * * ? *)",
    "at(2026-03-01T12:00:00)",
    "daily",
  ])("%s is refused", (expression) => {
    expect(() => parseRate(expression)).toThrow(ScheduleExpressionError);
  });
});

describe("an event pattern", () => {
  const event = {
    source: "aws.states",
    detail: { status: "FAILED", stopDate: null, tags: ["a", "b"] },
    resources: ["x"],
  };

  it.each([
    [{ source: ["aws.states"] }, true],
    [{ source: ["aws.ec2", "aws.states"], detail: { status: ["FAILED", "ABORTED"] } }, true],
    [{ detail: { status: ["SUCCEEDED"] } }, false],
    [{ detail: { missing: ["x"] } }, false],
    [{ detail: { stopDate: [null] } }, true],
    [{ detail: { tags: ["b"] } }, true],
    [{ source: { deeper: ["x"] } }, false],
    [{}, true],
  ])("%j matches: %s", (pattern, expected) => {
    expect(matchesPattern(pattern, event)).toBe(expected);
  });

  it("with anything but exact values is refused by path", () => {
    expect(patternProblems({ detail: { status: [{ "anything-but": ["x"] }] }, $or: {} })).toEqual([
      "EventPattern detail.status: only exact values are supported by the embedded cloud",
      "EventPattern $or is not supported by the embedded cloud",
    ]);
  });
});

describe("a partial batch response", () => {
  const records = [{ messageId: "a" }, { messageId: "b" }];

  it.each([
    ["null", []],
    ["{}", []],
    ['{"batchItemFailures":null}', []],
    ['{"batchItemFailures":[]}', []],
    ['{"batchItemFailures":[{"itemIdentifier":"b"}]}', ["b"]],
    ['{"batchItemFailures":[{"itemIdentifier":"c"}]}', ["a", "b"]],
    ['{"batchItemFailures":[{"itemIdentifier":""}]}', ["a", "b"]],
    ['{"batchItemFailures":"b"}', ["a", "b"]],
    ['"text"', ["a", "b"]],
  ])("%s fails %j", (payload, expected) => {
    expect([...failedItems(payload, records)]).toEqual(expected);
  });
});

it.each(["Name", "Name:live", FUNCTION_ARN, `${FUNCTION_ARN}:1`, "000000000000:function:Name"])(
  "%s names a function",
  (nameOrArn) => {
    expect(functionNameOf(nameOrArn)).toBe("Name");
  },
);
