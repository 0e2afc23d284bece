import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { pageDigest } from "./docs/page-digest.ts";
import { tableAccess } from "./permissions/table-access.ts";

/**
 * Writes the functions' rights on tables and the generated documents; with `--check` it writes nothing, names the stale ones and
 * fails. The picture of the console is taken again when the page has changed and there is a Chromium; an old picture is named and is not a
 * failure.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");

const stale: string[] = [];

async function keep(name: string, content: string): Promise<void> {
  const file = path.join(ROOT, name);
  if ((await readFile(file, "utf8").catch(() => undefined)) === content) {
    return;
  }
  stale.push(name);
  if (!check) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

/** The picture depends on the fonts of a machine, so the digest of the page decides whether it is old. */
async function keepPicture(): Promise<void> {
  const digest = path.join(ROOT, "docs", "console.sha256");
  const page = `${await pageDigest()}\n`;
  if ((await readFile(digest, "utf8").catch(() => undefined)) === page) {
    return;
  }
  const { CHROMIUM } = await import("../test/console/browser.ts");
  if (check || CHROMIUM === undefined) {
    const reason = check
      ? "`npm run docs` takes it again"
      : "there is no Chromium here; Debian: apt-get install chromium";
    console.log(`docs/console.png shows an earlier page of the console: ${reason}.`);
    return;
  }
  const { consolePicture } = await import("./docs/console-picture.ts");
  await writeFile(path.join(ROOT, "docs", "console.png"), await consolePicture());
  await writeFile(digest, page);
  stale.push("docs/console.png");
}

await keep("infra/table-access.json", await tableAccess());
// The template behind the documents reads that file, so it must exist before the stack is loaded.
const { generateDocuments } = await import("./docs/generate.ts");
for (const [name, content] of await generateDocuments()) {
  await keep(name, content);
}

await keepPicture();

if (stale.length === 0) {
  console.log("The generated documents are up to date.");
} else if (check) {
  console.error(`Stale: ${stale.join(", ")}. \`npm run docs\` writes them again.`);
  process.exitCode = 1;
} else {
  console.log(`Written: ${stale.join(", ")}`);
}
