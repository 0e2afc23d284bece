import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sniffImageFormat } from "../../core/images/sniff.ts";
import { temporaryDirectory } from "../support/drivers.ts";
import { hasTool } from "../support/tools.ts";

/** Text descriptors: what this project takes for VMDK, compared with what QEMU takes for it. */

const run = promisify(execFile);

/** Lines and parts of lines around each branch of QEMU's `vmdk_probe`. */
const part = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("#\n", "# Disk\r\n", " \n", "  \r\n", "version=1\n", "version=3\r\n") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("version=2", "version=4\n", "version=0\n", "\n", "\r\n", " ", "\r", "#", "\t\n"),
  },
  { weight: 1, arbitrary: fc.integer({ min: 480, max: 505 }).map((length) => `#${"x".repeat(length)}\n`) },
);

/** Whether QEMU takes the file for something else than a raw disk; a descriptor that it then cannot open counts. */
async function isProbed(path: string): Promise<boolean> {
  try {
    const { stdout } = await run("qemu-img", ["info", "--output=json", path]);
    return (JSON.parse(stdout) as { format: string }).format !== "raw";
  } catch {
    return true;
  }
}

test.skipIf(!hasTool("qemu-img"))(
  "a text is taken for VMDK exactly when QEMU takes it for VMDK (needs qemu-img)",
  async () => {
    const path = join(await temporaryDirectory(), "disk");
    const seen = { vmdk: 0, raw: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), fc.boolean(), async (parts, isLong) => {
        const text = Buffer.from(parts.join(""));
        const content = isLong ? Buffer.concat([text, Buffer.alloc(1024 - (text.length % 512))]) : text;
        await writeFile(path, content);
        const format = sniffImageFormat(content);
        seen[format === "vmdk" ? "vmdk" : "raw"] += 1;
        expect(format).toBe((await isProbed(path)) ? "vmdk" : "raw");
      }),
      { numRuns: 300 },
    );
    expect(Math.min(seen.vmdk, seen.raw)).toBeGreaterThan(30);
  },
);
