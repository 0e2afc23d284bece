import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { generateDocuments } from "./docs/generate.ts";

/**
 * Writes the generated documents; with `--check` it writes nothing, names the stale ones and fails.
 */
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");

const stale: string[] = [];
for (const [name, content] of await generateDocuments()) {
  const file = path.join(ROOT, name);
  if ((await readFile(file, "utf8").catch(() => undefined)) === content) {
    continue;
  }
  stale.push(name);
  if (!check) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

if (stale.length === 0) {
  console.log("The generated documents are up to date.");
} else if (check) {
  console.error(`Stale: ${stale.join(", ")}. \`npm run docs\` writes them anew.`);
  process.exitCode = 1;
} else {
  console.log(`Written: ${stale.join(", ")}`);
}
