import { readFile } from "node:fs/promises";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { breaches, passagesOf } from "../support/prose.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Folders whose text does not follow the rules yet. The list only shrinks: a test fails when a folder on it follows them. */
const NOT_YET: readonly string[] = [];

/** These files contain the words, because they are about them. */
const ABOUT_WORDS: readonly string[] = ["test/support/prose.ts", "test/unit/prose.test.ts"];

const files = globSync(["**/*.{ts,tsx,js,md}", ".ci/*"], {
  cwd: root,
  exclude: ["**/node_modules/**", "test/data/**", "cdk.out/**", "dist/**", ".*/**"],
})
  .concat(globSync(".ci/*", { cwd: root }))
  .filter((file) => !ABOUT_WORDS.includes(file))
  .toSorted();

async function breachesIn(file: string): Promise<string[]> {
  const source = await readFile(new URL(`../../${file}`, import.meta.url), "utf8");
  return passagesOf(file, source).flatMap(({ line, text }) =>
    breaches(text).map((breach) => `${file}:${line}: ${breach}`),
  );
}

const found = new Map(await Promise.all(files.map(async (file) => [file, await breachesIn(file)] as const)));

test("comments, messages and documents follow the rules of prose in every folder that is done", () => {
  const done = files.filter((file) => !NOT_YET.some((folder) => file.startsWith(folder)));

  expect(done.flatMap((file) => found.get(file) ?? [])).toEqual([]);
});

test.each(NOT_YET)("%s still has a breach of the rules of prose, so it stays on the list of exceptions", (folder) => {
  const inFolder = files.filter((file) => file.startsWith(folder));

  expect(inFolder.flatMap((file) => found.get(file) ?? [])).not.toEqual([]);
});

test.each([
  ["a comment", "a.ts", "/** The sweep goes on\n * with the next volume. */"],
  ["consecutive line comments", "a.ts", "const a = 1;\n// The sweep goes\n// on with the next volume.\n"],
  ["a string", "a.ts", 'throw new Error("this is no address");'],
  ["a template", "a.ts", "throw new Error(`${name} is no address`);"],
  ["a test name", "a.ts", 'it("refuses it, and a later attempt goes on", () => {});'],
  ["a sentence that begins with a free relative", "a.ts", "/** Reads it. What is read is kept. */"],
  ["a paragraph of a document", "a.md", "# Title\n\nThe sweep\ntells the topic.\n"],
  ["a table's cell", "a.md", "| step | end |\n| --- | --- |\n| one | nobody reads it |\n"],
  ["a shell comment", ".ci/run", "# Goes on after a failure.\n"],
])("the rules of prose find %s that breaks one", (_, file, source) => {
  expect(passagesOf(file, source).flatMap(({ text }) => breaches(text))).toHaveLength(1);
});

test.each([
  ["identifiers", "a.ts", 'import { tell } from "./tell.ts";\ntell(told);'],
  ["code spans", "a.ts", "/** Calls `tell` and reads `nobody`. */"],
  ["code between `${` and `}`", "a.ts", "const text = `sent to ${told} of ${total} readers`;"],
  ["good English", "a.ts", "// There is no file, and it is no longer needed. There is none. Why is that? What is it?"],
  ["fenced code of a document", "a.md", "```sh\ntell nobody\n```\n"],
])("the rules of prose leave %s alone", (_, file, source) => {
  expect(passagesOf(file, source).flatMap(({ text }) => breaches(text))).toEqual([]);
});
