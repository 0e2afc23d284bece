import fc from "fast-check";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { renderCsv, renderValues, renderYaml } from "../../cli/formats.ts";
import { renderJson } from "../../cli/output.ts";
import { guarded, isUnsafe, oneLine } from "../../cli/safe-text.ts";
import { renderTable } from "../../cli/table.ts";
import { outputOfStream, wantsColours } from "../../cli/terminal.ts";
import { recordedOutput, runCli, volume } from "../support/cli-context.ts";

/** Characters that a terminal would interpret; the commands write line ends themselves. */
const ACTED_ON = /[^\P{Cc}\n]|[\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;

/** Texts in which such characters are frequent. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "\u001B[31m",
        "\u009B2J",
        "\u202E",
        "\u2066",
        "\u2028",
        "\r\n",
        "\u0000",
        "\uFEFF",
        "\u007F",
        "\u200F",
      ),
      fc.string({ unit: "grapheme" }),
    ),
  )
  .map((parts) => parts.join(""));

describe("nothing that a terminal would act on is written", () => {
  test("in any form of a list or record", async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (name) => {
        const rows = [[name, { key: name }]];
        const forms = [
          renderJson({ [name]: rows }),
          await renderYaml([{ Name: name, Properties: { [name]: name } }]),
          renderCsv(["Name"], rows),
          renderValues(rows),
          renderTable(recordedOutput(), [{ title: "Name" }], [[oneLine(name)]]),
        ];
        for (const form of forms) {
          expect(form).not.toMatch(ACTED_ON);
        }
      }),
    );
  });

  test("by any command that shows a stored name, host, property or error", async () => {
    const bad = "\u202Egnp.\u001B]0;title\u0007\u009B2J";
    const record = volume({
      display_name: bad,
      display_description: bad,
      host: bad,
      metadata: { [bad]: bad },
      project_id: bad,
      status: "error",
      fault: { error: bad, cause: bad, attempt: 1, at: "", attempts: [bad] },
    });
    const parts = {
      volumes: { get: async () => record, list: async () => ({ items: [record] }) },
      snapshots: { listOfVolume: async () => [{ id: bad, display_name: bad, status: bad }] },
    };
    for (const argv of [
      ["show", record.id],
      ["list"],
      ["list", "--long"],
      ["list", "-f", "value"],
      ["show", record.id, "-f", "yaml"],
    ]) {
      const { status, stdout, stderr } = await runCli(argv, parts);
      expect([status, stderr]).toEqual([0, ""]);
      expect(stdout).not.toMatch(ACTED_ON);
    }
    const failing = { volumes: { list: async () => Promise.reject(new Error(bad)) } };
    expect((await runCli(["list"], failing)).stderr).not.toMatch(ACTED_ON);
  });

  test("to the stream itself but lines, tabs and the styles of the commands", () => {
    let written = "";
    const stream = { isTTY: false, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
    outputOfStream(stream, [], {}).write("\u001B[31mred\u001B[39m\tok\n\u001B[2J\u202E\u0007");
    expect(written).toBe("\u001B[31mred\u001B[39m\tok\n\uFFFD[2J\uFFFD\uFFFD");
    expect(guarded("plain äöü 日本 👩‍🚀")).toBe("plain äöü 日本 👩‍🚀");
  });
});

test("JSON and YAML read back as the same value, whatever characters it has", async () => {
  await fc.assert(
    fc.asyncProperty(hostile, async (name) => {
      const value = [{ Name: name, Other: { nested: [name, 1, true, null] } }];
      expect(JSON.parse(renderJson(value))).toEqual(value);
      // Unpaired surrogates have no UTF-8.
      if (name.isWellFormed()) {
        expect(parse(await renderYaml(value))).toEqual(value);
      }
    }),
  );
});

test("joiners of scripts and emoji are not taken for hostile", () => {
  expect([isUnsafe("क्‍ष"), isUnsafe("👩‍🚀"), isUnsafe("\u202E")]).toEqual([false, false, true]);
});

describe("colors", () => {
  const terminal = { isTTY: true, hasColors: () => true };
  const pipe = { isTTY: false };

  test.each([
    [terminal, [], {}, true],
    [pipe, [], {}, false],
    [terminal, ["--no-color"], {}, false],
    [terminal, ["create", "--", "--no-color"], {}, true],
    [terminal, [], { NO_COLOR: "1" }, false],
    [terminal, [], { NO_COLOR: "" }, true],
    [pipe, [], { FORCE_COLOR: "1" }, true],
    [pipe, [], { FORCE_COLOR: "" }, true],
    [terminal, [], { FORCE_COLOR: "0" }, false],
    [pipe, [], { FORCE_COLOR: "1", NO_COLOR: "1" }, true],
    [pipe, ["--no-color"], { FORCE_COLOR: "1" }, false],
    [{ isTTY: true, hasColors: () => false }, [], {}, false],
  ])("of %j with %j and %j: %s", (stream, argv, environment, expected) => {
    expect(wantsColours(stream, argv, environment)).toBe(expected);
  });
});

describe("a table", () => {
  const columns = [{ title: "ID", isKept: true }, { title: "Name" }, { title: "Size", isRightAligned: true }] as const;

  test("is as wide as the output at most, whatever its cells, and cuts what is to be kept last", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ maxLength: 40 }), fc.string({ maxLength: 200 }), fc.nat()), { maxLength: 5 }),
        fc.integer({ min: 24, max: 120 }),
        (rows, width) => {
          const cells = rows.map(([id, name, size]) => [oneLine(id), oneLine(name), String(size)]);
          const lines = renderTable(recordedOutput(false, width), columns, cells).split("\n");
          expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  test("counts wide characters as two columns, and cuts between characters", () => {
    const table = renderTable(
      recordedOutput(false, 20),
      [{ title: "A" }, { title: "B" }],
      [["日本語日本語日本語", "x"]],
    );
    expect(table.split("\n")[1]).toBe("日本語日本語日本…  x");
  });
});
