import { expect, it } from "vitest";
import type { Api, ApiAnswer } from "../../verify/chaos/api.ts";
import { deleteSnapshot } from "../../verify/chaos/uses.ts";

/** An API that shows these statuses one after another, the last one for ever, and answers deletions so. */
function anApi(shown: (string | undefined)[], deletions: number[]): { api: Api; asked: string[] } {
  const asked: string[] = [];
  const ask = async ({ method }: { method: string }): Promise<ApiAnswer> => {
    asked.push(method);
    if (method === "DELETE") {
      return { status: deletions.shift() ?? 500, body: {}, tries: 1 };
    }
    const status = shown.length > 1 ? shown.shift() : shown[0];
    return {
      status: status === undefined ? 404 : 200,
      body: status === undefined ? {} : { snapshot: { status } },
      tries: 1,
    };
  };
  const counts = { requests: 0, "answers lost": 0, "answers with 5xx": 0, "repeated creates": 0 };
  return { api: { ask, askOnce: ask, failures: [], counts }, asked };
}

it("a deletion that is refused because the snapshot has become available meets it again", async () => {
  const { api, asked } = anApi(["error", "available", "available", "deleting"], [400, 202]);
  await deleteSnapshot(api, "s", "p");
  expect(asked.filter((method) => method === "DELETE")).toHaveLength(2);
});

it("a deletion is accepted when its answer was lost and the next one is refused", async () => {
  const { api, asked } = anApi(["available", "deleting"], [400]);
  await deleteSnapshot(api, "s", "p");
  expect(asked).toEqual(["GET", "DELETE", "GET"]);
});

it("a deletion that is answered otherwise ends the run", async () => {
  const { api } = anApi(["available"], [403]);
  await expect(deleteSnapshot(api, "s", "p")).rejects.toThrow("the deletion of snapshot s is answered by 403");
});
