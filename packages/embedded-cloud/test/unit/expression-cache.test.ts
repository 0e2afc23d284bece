import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { remembering } from "../../src/parts/expression-cache.ts";

type Parse = Parameters<typeof remembering>[0];

const require = createRequire(import.meta.url);
const conditions = (require("dynalite/db/conditionParser") as { parse: Parse }).parse;
const updates = (require("dynalite/db/updateParser") as { parse: Parse }).parse;

const NAMES = { "#a": "alpha", "#b": "beta", "#unused": "gamma" };

/** A call's context as dynalite makes it, with the keys that it says are unused. */
function context(values: Record<string, object>, names: Record<string, string> = NAMES) {
  const unused = (keys: string[]) => Object.fromEntries(keys.map((key) => [key, true as const]));
  return {
    attrNames: names,
    attrVals: values,
    unusedAttrNames: unused(Object.keys(names)),
    unusedAttrVals: unused(Object.keys(values)),
    isReserved: (name: string) => name.toUpperCase() === "STATUS",
    compare: (_operator: string, left: { N: string }, right: { N: string }) => Number(left.N) > Number(right.N),
  };
}

/** The parser's result, and the unused keys. */
function answer(parse: Parse, expression: string, values: Record<string, object>) {
  const of = context(values);
  try {
    return { tree: parse(expression, { context: of }), names: of.unusedAttrNames, values: of.unusedAttrVals };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

const EXPRESSIONS: [string, Parse, string, Record<string, object>, Record<string, object>][] = [
  ["a condition", conditions, "#a = :x AND attribute_not_exists(#b)", { ":x": { S: "1" } }, { ":x": { S: "2" } }],
  [
    "a list",
    conditions,
    "#a IN (:x, :y)",
    { ":x": { S: "1" }, ":y": { S: "1" } },
    { ":x": { S: "3" }, ":y": { S: "4" } },
  ],
  ["an update", updates, "SET #a = :x, #b.#a = :x REMOVE gone", { ":x": { N: "1" } }, { ":x": { N: "2" } }],
  ["a sum", updates, "SET #a = #a + :x", { ":x": { N: "1" } }, { ":x": { N: "-7" } }],
  ["a map", updates, "SET #a = :x", { ":x": { M: { k: { S: "v" } } } }, { ":x": { M: {} } }],
  ["another type", updates, "ADD #a :x", { ":x": { N: "1" } }, { ":x": { S: "no number" } }],
  [
    "a range",
    conditions,
    "#a BETWEEN :x AND :y",
    { ":x": { N: "1" }, ":y": { N: "2" } },
    { ":x": { N: "2" }, ":y": { N: "1" } },
  ],
  ["no expression", conditions, "#a = = :x", { ":x": { S: "1" } }, { ":x": { S: "1" } }],
  ["a reserved word", conditions, "status = :x", { ":x": { S: "1" } }, { ":x": { S: "1" } }],
  ["an unknown value", conditions, "#a = :z", { ":x": { S: "1" } }, { ":x": { S: "1" } }],
];

describe("an expression that was parsed before", () => {
  it.each(EXPRESSIONS)("%s is answered as by the parser itself", (_what, parse, expression, first, second) => {
    const remembered = remembering(parse);
    for (const values of [first, second, first]) {
      expect(answer(remembered, expression, values)).toEqual(answer(parse, expression, values));
    }
  });

  it("is not parsed again", () => {
    let parsed = 0;
    const counted = remembering((expression, options) => {
      parsed += 1;
      return updates(expression, options);
    });
    answer(counted, "SET #a = :x", { ":x": { S: "1" } });
    answer(counted, "SET #a = :x", { ":x": { S: "2" } });
    expect(parsed).toBe(1);
  });

  it("does not show what was done to an earlier answer", () => {
    const remembered = remembering(updates);
    const { tree } = answer(remembered, "SET #a = :x", { ":x": { S: "1" } }) as {
      tree: { sections: { val: unknown }[] };
    };
    for (const section of tree.sections) {
      section.val = "changed";
    }
    expect(answer(remembered, "SET #a = :x", { ":x": { S: "1" } })).toEqual(
      answer(updates, "SET #a = :x", { ":x": { S: "1" } }),
    );
  });

  it("is another one under other names", () => {
    const remembered = remembering(conditions);
    const under = (names: Record<string, string>) =>
      remembered("attribute_exists(#a)", { context: context({}, names) });
    expect(under({ "#a": "one" })).not.toEqual(under({ "#a": "two" }));
  });
});
