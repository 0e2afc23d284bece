import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { PageFile } from "./server.ts";

const SOURCES = new URL("page/", import.meta.url);
const WORKFLOW = new URL("../../docs/create-volume.svg", import.meta.url);

/**
 * The page as the server gives it out. Its program is bundled of its sources at the start, which takes a fraction of a second, so that
 * there is nothing to build and nothing that could be stale.
 */
export async function pageFiles(): Promise<Map<string, PageFile>> {
  const [html, workflow, { outputFiles }] = await Promise.all([
    readFile(new URL("index.html", SOURCES)),
    readFile(WORKFLOW),
    build({
      entryPoints: [fileURLToPath(new URL("main.tsx", SOURCES)), fileURLToPath(new URL("style.css", SOURCES))],
      outdir: "/",
      bundle: true,
      write: false,
      minify: true,
      platform: "browser",
      target: ["es2022"],
      format: "esm",
      jsx: "automatic",
      jsxImportSource: "preact",
      legalComments: "none",
      logLevel: "silent",
    }),
  ]);
  const files = new Map<string, PageFile>([
    ["/", { type: "text/html; charset=utf-8", content: html }],
    ["/create-volume.svg", { type: "image/svg+xml", content: workflow }],
  ]);
  for (const { path, contents } of outputFiles) {
    const isScript = path.endsWith(".js");
    const name = isScript ? "/main.js" : "/style.css";
    files.set(name, {
      type: isScript ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8",
      content: contents,
    });
  }
  return files;
}
