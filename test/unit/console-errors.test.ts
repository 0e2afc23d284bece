import { expect, test } from "vitest";
import { meaningOf, readErrorPage } from "../../cli/console/error-meanings.ts";
import { ERROR_ROUTES, type ErrorName } from "../../core/errors.ts";

test("the page on errors explains every error of the flow to the console", async () => {
  const page = await readErrorPage();
  for (const name of Object.keys(ERROR_ROUTES) as ErrorName[]) {
    expect(meaningOf(page, name)).toEqual({
      name,
      route: ERROR_ROUTES[name],
      meaning: expect.stringMatching(/^[A-Z].*\.$/),
      consequence: expect.stringMatching(/^[A-Z].*\.$/),
    });
  }
});

test("an error that no page knows is uncertain, and says what follows from that", async () => {
  const meaning = meaningOf(await readErrorPage(), "Lambda.Unknown");
  expect(meaning).toMatchObject({ route: "uncertain", meaning: null });
  expect(meaning.consequence).toContain("The work may have been done.");
});
