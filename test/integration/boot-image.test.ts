import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { BOOT_TEXT } from "../../scripts/boot-image.ts";
import { temporaryDirectory } from "../support/drivers.ts";
import { hasTool } from "../support/tools.ts";

const run = promisify(execFile);
const SCRIPT = new URL("../../scripts/boot-image.ts", import.meta.url).pathname;

async function image(): Promise<string> {
  const file = join(await temporaryDirectory(), "boot.raw");
  await run(process.execPath, [SCRIPT, file]);
  return file;
}

describe("the boot image", () => {
  it("has a boot sector and, apart from it, the text that the machine prints", async () => {
    const bytes = await readFile(await image());
    expect(bytes.length).toBe(4 * 1024 * 1024);
    expect(bytes.readUInt16LE(510)).toBe(0xaa55);
    expect(bytes.subarray(1024 * 1024, 1024 * 1024 + BOOT_TEXT.length).toString()).toBe(BOOT_TEXT);
    expect(bytes.indexOf(BOOT_TEXT)).toBe(1024 * 1024);
  });

  it("is not made without the name of a file", async () => {
    await expect(run(process.execPath, [SCRIPT])).rejects.toMatchObject({ code: 2 });
  });

  it.skipIf(!hasTool("qemu-system-x86_64"))("prints its text in QEMU from a volume of 1 GiB, and ends", async () => {
    const file = await image();
    await truncate(file, 1024 ** 3);
    const drive = `file=${file},format=raw,if=virtio`;
    const machine = spawn("qemu-system-x86_64", ["-m", "64", "-nographic", "-net", "none", "-drive", drive], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    machine.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    const [status] = (await once(machine, "close")) as [number];
    expect(status).toBe(0);
    expect(printed).toContain(BOOT_TEXT.trim());
  });
});
