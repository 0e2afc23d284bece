import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A directory of its own for a test, removed at the end of the scope. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  return mkdtempDisposableSync(path.join(tmpdir(), "cinderless-test-"));
}
