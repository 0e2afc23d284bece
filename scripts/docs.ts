import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { tableAccess } from "./permissions/table-access.ts";

/**
 * Writes the functions' rights on tables and the generated documents; with `--check` it writes nothing, names the stale ones and
 * fails.
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

await keep("infra/table-access.json", await tableAccess());
// The template behind the documents reads that file, so it must exist before the stack is loaded.
const { generateDocuments } = await import("./docs/generate.ts");
for (const [name, content] of await generateDocuments()) {
  await keep(name, content);
}

if (stale.length === 0) {
  console.log("The generated documents are up to date.");
} else if (check) {
  console.error(`Stale: ${stale.join(", ")}. \`npm run docs\` writes them again.`);
  process.exitCode = 1;
} else {
  console.log(`Written: ${stale.join(", ")}`);
}
