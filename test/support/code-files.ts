import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { FunctionName } from "../../core/settings/functions.ts";
import { createCinderlessApp } from "../../infra/cinderless-app.ts";
import type { CodeFiles } from "../../infra/functions.ts";
import { INLINE_CODE } from "../../infra/inline-template.ts";

/** The files that the stack puts next to the code of each function, with this context. */
export function codeFilesOf(context: Record<string, unknown>): ReadonlyMap<FunctionName, CodeFiles> {
  const outdir = mkdtempSync(path.join(tmpdir(), "cinderless-code-files-"));
  const found = new Map<FunctionName, CodeFiles>();
  try {
    createCinderlessApp({
      codeOf: (name, files) => {
        found.set(name, files);
        return INLINE_CODE(name, files);
      },
      outdir,
      context: { blockStorageApi: { auth: "keystone", auth_url: "https://keystone.example.org" }, ...context },
    });
    return found;
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** The backends as a function finds them next to its code; undefined when it has none. */
export function backendsOf(context: Record<string, unknown>, name: FunctionName = "CreateRawVolume"): unknown {
  const text = codeFilesOf(context).get(name)?.["backends.json"];
  return text === undefined ? undefined : JSON.parse(text);
}
