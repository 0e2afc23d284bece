import { readFile } from "node:fs/promises";
import type { ReplayedCall } from "../../cli/replay.ts";
import { replay } from "./replay.ts";
import type { Recording } from "./recording.ts";

/**
 * `node local/replay/main.ts FILE`: replays the recording in a file, which `cinderless replay` makes, and writes one JSON line for each call.
 * Exit status 0 when every answer is the recorded one, 1 at the first difference.
 */
const [file = ""] = process.argv.slice(2);
const recording = JSON.parse(await readFile(file, "utf8")) as Recording;
// Functions log to standard output, which is for the calls here.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text: string | Uint8Array) => process.stderr.write(text);
const isSame = await replay(recording, (call: ReplayedCall) => void write(`${JSON.stringify(call)}\n`));
process.exitCode = isSame ? 0 : 1;
