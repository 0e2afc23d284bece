import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Running, startServer, whenReady } from "../../verify/glance/server-process.ts";

const PROGRAM = fileURLToPath(new URL("../../local/start.ts", import.meta.url));

/** The last part of what it prints when it serves. */
const READY = "Try it in another shell";

/** Cinderless in a process of its own, as `npm start` starts it. `url` ends in `/v3`. */
export async function startCinderlessProcess(directory: string): Promise<Running> {
  await mkdir(directory, { recursive: true });
  const log = path.join(directory, "start.log");
  const data = path.join(directory, "data");
  const argv = ["--max-semi-space-size=8", PROGRAM, "--port", "0", "--data-dir", data];
  const child = startServer(process.execPath, argv, log, { MALLOC_ARENA_MAX: "2" });
  const isReady = async (): Promise<boolean> => (await readFile(log, "utf8")).includes(READY);
  const running = await whenReady(child, "Cinderless", log, isReady);
  try {
    return { ...running, url: await addressIn(path.join(data, "outputs.json")) };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function addressIn(file: string): Promise<string> {
  const outputs = Object.values(JSON.parse(await readFile(file, "utf8")) as Record<string, Record<string, string>>);
  const url = outputs[0]?.["BlockStorageApiUrl"];
  if (url === undefined) {
    throw new Error(`${file} has no BlockStorageApiUrl`);
  }
  return url;
}
