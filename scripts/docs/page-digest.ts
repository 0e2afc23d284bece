import { createHash } from "node:crypto";
import { pageFiles } from "../../cli/console/page-files.ts";

/** SHA-256 of the files of the console's page. */
export async function pageDigest(): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, { content }] of await pageFiles()) {
    hash.update(name).update(content);
  }
  return hash.digest("hex");
}
