import { describe, expect, it } from "vitest";
import { unexplained } from "../../verify/chaos/gather-api.ts";
import { problemsOf, problemsOfQuota, type Listed, type Traversal } from "../../verify/chaos/listing.ts";

const listed = (id: string, second: number, status = "available"): Listed => ({
  id,
  name: id,
  status,
  created_at: `2026-01-01T00:00:0${second}.000000`,
});

/** A list in which everything is as it should be. */
const GOOD: Traversal = {
  project: "small",
  listed: [listed("d", 3, "deleting"), listed("c", 2), listed("b", 2), listed("a", 1)],
  there: ["c", "a"],
  askedFor: new Set(["a", "b", "c", "d"]),
  limit: 3,
};

const messagesOf = (change: Partial<Traversal>): string[] =>
  problemsOf({ ...GOOD, ...change }).map(({ message }) => message);

describe("a list that was read page by page", () => {
  it("has no problem when it is newest first and has what was there, without what is being deleted in the count", () => {
    expect(messagesOf({})).toEqual([]);
    expect(messagesOf({ listed: [], there: [] })).toEqual([]);
  });

  it.each<[string, Partial<Traversal>, RegExp]>([
    ["lists a newer volume after an older one", { listed: GOOD.listed.toReversed() }, /after a, which is older/],
    [
      "lists volumes of one moment in the other order",
      { listed: [listed("b", 2), listed("c", 2), listed("a", 1)] },
      /after b, which is older/,
    ],
    ["lists a volume on two pages", { listed: [...GOOD.listed, listed("a", 1)] }, /has it twice/],
    ["lists another project's volume", { askedFor: new Set(["a", "b", "c"]) }, /no client has asked for it there/],
    ["passes over a volume between two pages", { there: ["e"] }, /was there all the time/],
    ["has more volumes than the project may have", { limit: 2 }, /it has 3 volumes, and its limit is 2/],
  ])("is found out when it %s", (_what, change, message) => {
    expect(messagesOf(change)).toContainEqual(expect.stringMatching(message));
  });
});

describe("a project's sums", () => {
  const sum = { limit: 3, in_use: 2, reserved: 1 };
  const quota = { volumes: sum, gigabytes: { ...sum, limit: -1 }, snapshots: { limit: 0, in_use: 0, reserved: 0 } };

  it("may reach their limits", () => {
    expect(problemsOfQuota("small", quota)).toEqual([]);
  });

  it.each([
    ["exceed a limit", { ...sum, in_use: 3 }],
    ["are negative", { ...sum, in_use: -2 }],
    ["have a negative reservation", { ...sum, reserved: -1 }],
  ])("are found out when they %s", (_what, volumes) => {
    expect(problemsOfQuota("small", { ...quota, volumes })).toEqual([
      { subject: "small", message: expect.stringMatching(/^volumes: .* and the limit is 3$/) },
    ]);
  });
});

describe("an answer with 5xx", () => {
  const failure = { request: "GET /volumes", status: 500, requestId: "req-1", message: "{}" };
  const causeOf = (cause: string) => unexplained([failure], new Map([["req-1", cause]]));

  it.each(["Unknown: UnknownError", "TimeoutError: socket hang up", "Error: read ECONNRESET"])(
    "is explained by the injected fault %s",
    (cause) => {
      expect(causeOf(cause)).toEqual([]);
    },
  );

  it("is explained by a cast that failed so, which no log names", () => {
    const message = "The volume could not be scheduled: Unknown";
    expect(unexplained([{ ...failure, message }], new Map())).toEqual([]);
    expect(unexplained([{ ...failure, message: message.replace("Unknown", "TypeError") }], new Map())).toHaveLength(1);
  });

  it("is explained by a function that was ended, where no function has answered", () => {
    const ended = { ...failure, requestId: null, message: '{"message":"Internal Server Error"}' };
    expect(unexplained([ended], new Map())).toEqual([]);
  });

  it.each(["TypeError: x is undefined", "ValidationException: The parameter cannot be converted to a number"])(
    "is not explained by %s",
    (cause) => {
      expect(causeOf(cause)).toEqual([{ request: "GET /volumes", cause: `500 ${cause}` }]);
    },
  );
});
