#!/usr/bin/env node
// The entry that npm links as `cinderless`. Plain JavaScript, because it must also run on a Node that cannot strip types. The npm package
// `node` contains one that can, and npm and npx put it first on the PATH. If another, older Node started the command, it continues in the
// packaged Node.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) {
  module.enableCompileCache();
  const { main } = await import("./main.ts");
  await main();
} else {
  runInPackagedNode(fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url)));
}

/** @param {string} node */
function runInPackagedNode(node) {
  if (!existsSync(node)) {
    console.error(
      `error: Node ${OLDEST_NODE} or newer is needed, this is ${process.version}; \`npm ci\` installs one with the project.`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // The terminal sends Ctrl-C to both; the child decides how to end.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => {
    console.error(`error: ${node} cannot be run: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (status, signal) => {
    process.exitCode = status ?? (signal === "SIGINT" ? 130 : 143);
  });
}
