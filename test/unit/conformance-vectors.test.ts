import { describe, expect, it } from "vitest";
import { parseVectors, runVectors } from "../../verify/conformance/vectors/vector-run.ts";
import moreKinds from "../data/more-kinds-vectors.json" with { type: "json" };
import { vectors } from "../support/scheduler-vectors.ts";

it("every recorded vector is answered as Cinder did, or by the listed answer where it crashed", () => {
  const results = runVectors(vectors);
  expect(results.filter(({ verdict }) => verdict === "different" || verdict === "error")).toEqual([]);
  expect(results).toHaveLength(635);
});

it("a setting with which Cinder does not start is refused, with filter properties or without", () => {
  expect(runVectors(parseVectors(JSON.stringify(moreKinds)))).toMatchObject([{ verdict: "same as Cinder" }]);
  const [refused] = moreKinds.populate_retry;
  const taken = { populate_retry: [{ ...refused, max_attempts: 1 }] };
  expect(runVectors(parseVectors(JSON.stringify(taken)))).toMatchObject([{ verdict: "different" }]);
});

describe("a vector is different when", () => {
  const verdictsOf = (text: unknown) => runVectors(parseVectors(JSON.stringify(text))).map(({ verdict }) => verdict);

  it("its answer is another one", () => {
    const extra_specs_match = [
      { value: 10, req: "= 10", out: { result: true } },
      { value: 10, req: "= 10", out: { result: false } },
    ];
    expect(verdictsOf({ extra_specs_match })).toEqual(["same as Cinder", "different"]);
  });

  it("Cinder crashed with an error for which no answer is listed", () => {
    const extra_specs_match = [
      { value: 10, req: "<in> 1", out: { raises: "TypeError", message: "" } },
      { value: 10, req: "<in> 1", out: { raises: "MemoryError", message: "" } },
    ];
    expect(verdictsOf({ extra_specs_match })).toEqual(["defined answer", "different"]);
  });

  it("the crash's place has another answer than the listed one", () => {
    const extra_specs_match = [{ value: 10, req: "= 10", out: { raises: "TypeError", message: "" } }];
    expect(verdictsOf({ extra_specs_match })).toEqual(["different"]);
  });

  it("a whole loop ends elsewhere", () => {
    const [loop] = vectors.create_loops;
    const create_loops = [{ ...loop, final_row: { host: "h9@lvm#p", status: "available", scheduled_at_set: true } }];
    expect(verdictsOf({ create_loops })).toEqual(["different"]);
  });

  it("and an error when it cannot be replayed", () => {
    expect(verdictsOf({ weighers: [{ weighers: ["LotteryWeigher"], backends_in_order: [] }] })).toEqual(["error"]);
  });
});

describe("a retry that lost its count", () => {
  it("is counted by the backends that it lists, where Cinder crashed", () => {
    const retry = { backends: ["a", "b"], hosts: ["a", "b"] };
    const vector = { name: "lost", filter_properties: { retry }, max_attempts: 5, raises: "KeyError", message: null };
    expect(runVectors({ populate_retry: [{ ...vector, after: {} }] })).toMatchObject([
      { verdict: "defined answer", actual: 3 },
    ]);
  });
});

describe("a file of vectors", () => {
  it.each([
    ["no JSON", "{", "not valid JSON"],
    ["a list", "[]", "no object of sections"],
    ["a section that is not known", '{"volume_filters": []}', "unknown section volume_filters; the sections are"],
    ["a section that is not a list", '{"weighers": {}}', "section weighers is not a list"],
  ])("that is or has %s is refused", (_what, text, message) => {
    expect(() => parseVectors(text)).toThrow(message);
  });
});
