import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** One request to real Cinder, with its answer. Things that differ from run to run are names such as `<id-7>`. */
export type Exchange = {
  file: string;
  case: string;
  /** The caller: `member`, `reader`, `member of another project`, `admin`, or none. */
  as: string | null;
  request: { method: string; path: string; headers: Record<string, string>; body: unknown };
  response: { status: number; headers: Record<string, string>; body: unknown };
};

const DIRECTORY = fileURLToPath(new URL("../../../test/data/block-storage-api/", import.meta.url));

/** The recorded exchanges in the order in which they were made. */
export async function readExchanges(): Promise<Exchange[]> {
  const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith(".json")).toSorted();
  const contents = await Promise.all(
    files.map(async (file) => {
      const exchanges = JSON.parse(await readFile(DIRECTORY + file, "utf8")) as Omit<Exchange, "file">[];
      return exchanges.map((exchange) => ({ ...exchange, file: file.replace(".json", "") }));
    }),
  );
  return contents.flat();
}

/** Name of an exchange: its file and its case. */
export function nameOf({ file, case: name }: Pick<Exchange, "file" | "case">): string {
  return `${file}: ${name}`;
}
