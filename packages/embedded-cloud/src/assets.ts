import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { EmbeddedCloudError } from "./errors.ts";
import { isJsonObject, objectOrEmpty } from "./json.ts";

/** Directories of the zip assets of a synthesised app, by the S3 object key that a Lambda function names. */
export type AssetDirectories = ReadonlyMap<string, string>;

/**
 * Reads the `*.assets.json` manifests of a `cdk.out` directory. Assets that are single files (the template itself, a zip that was made
 * before synthesis) are left out: the deployment refuses a function that names one.
 */
export function readAssets(assetDirectory: string): AssetDirectories {
  const directories = new Map<string, string>();
  for (const manifest of manifestsIn(assetDirectory)) {
    const files = objectOrEmpty(
      objectOrEmpty(JSON.parse(readFileSync(path.join(assetDirectory, manifest), "utf8")))["files"],
    );
    for (const file of Object.values(files)) {
      const { source, destinations } = objectOrEmpty(file);
      const relative = objectOrEmpty(source)["path"];
      if (typeof relative !== "string") continue;
      const directory = path.resolve(assetDirectory, relative);
      if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) continue;
      for (const destination of Object.values(objectOrEmpty(destinations))) {
        const key = isJsonObject(destination) ? destination["objectKey"] : undefined;
        if (typeof key === "string") directories.set(key, directory);
      }
    }
  }
  return directories;
}

function manifestsIn(assetDirectory: string): string[] {
  try {
    return readdirSync(assetDirectory).filter((name) => name.endsWith(".assets.json"));
  } catch (error) {
    throw new EmbeddedCloudError(`asset directory ${assetDirectory} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
