import { describe, expect, test } from "vitest";
import { runCli, VOLUME_ID } from "../support/cli-context.ts";

/** Every command, by its words. */
const COMMANDS = [
  "create",
  "show",
  "list",
  "watch",
  "delete",
  "snapshot create",
  "snapshot list",
  "snapshot delete",
  "snapshot show",
  "snapshot set",
  "image add",
  "image check",
  "image list",
  "image delete",
  "type create",
  "type list",
  "type show",
  "type set",
  "type delete",
  "backend list",
  "image cache list",
  "image cache evict",
  "redrive list",
  "redrive show",
  "redrive discard",
  "redrive",
  "audit",
  "cost",
  "watch",
  "set",
  "unset",
  "extend",
  "attach",
  "detach",
  "connection",
  "retry",
  "purge",
  "service list",
  "service set",
  "quota show",
  "quota set",
  "env",
  "replay",
  "help",
];

describe("help", () => {
  test.each(COMMANDS)("%s has examples of itself, and the global options", async (words) => {
    const { status, stdout, stderr } = await runCli([...words.split(" "), "--help"]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`Usage: cinderless ${words} `);
    expect(stdout).toMatch(new RegExp(`Examples:\n  \\$ cinderless .*${words}`));
    expect(stdout).toContain("--json");
    expect(stdout).toContain("--outputs <file>");
  });

  test("the program's names every command", async () => {
    const { stdout } = await runCli(["--help"]);
    for (const words of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${words.split(" ")[0]} `, "m"));
    }
  });

  test("global options are those of the program", async () => {
    const { stdout } = await runCli(["redrive", "list", "--help"]);
    const [, globals = ""] = stdout.split("Global Options:");
    expect(globals).toContain("--json");
    expect(globals).not.toContain("--message");
  });

  test.each([["formats"], ["exit-status"], ["names"], ["profiles"], ["environment"], ["retries"]])(
    "of the topic %s is a screen of text",
    async (topic) => {
      const { status, stdout } = await runCli(["help", topic]);
      expect([status, stdout.split("\n").length > 5]).toEqual([0, true]);
    },
  );

  test("of a command's words is that command's", async () => {
    expect((await runCli(["help", "snapshot", "create"])).stdout).toBe(
      (await runCli(["snapshot", "create", "--help"])).stdout,
    );
  });

  test("connects to nothing", async () => {
    expect((await runCli(["create", "--help"])).targets).toEqual([]);
  });
});

test("--version is that of the package", async () => {
  expect((await runCli(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe("an invalid command line ends with 2 and one line", () => {
  test.each<[string[], string]>([
    [["create"], "--size is needed (a size in GiB, as in --size 1)"],
    [["create", "--size", "0"], "argument '0' is invalid. It must be a whole number of GiB, 1 or more."],
    [["create", "--size", "1.5"], "argument '1.5' is invalid"],
    [["create", "--size", "1e3"], "argument '1e3' is invalid"],
    [["create", "--size=-1"], "argument '-1' is invalid"],
    [["create", "--size", "2147483648"], "argument '2147483648' is invalid"],
    [["create", "--size", "1", "--image", "https:u:SECRET@h/x"], "--image must be a UUID, or an address"],
    [["create", "--size", "1", "--metadata", "tier"], "It must be key=value."],
    [["create", "--size", "1", "--metadata", "=gold"], "It must be key=value."],
    [["create", "--size", "1", "--metadata", `k=${"v".repeat(256)}`], "at most 255 characters"],
    [["create", "--size", "1", "--name", "n".repeat(256)], "It has 256 characters; 255 are allowed."],
    [["create", "--image", VOLUME_ID, "--snapshot", VOLUME_ID], "cannot be used with option"],
    [["create", "--image", VOLUME_ID, "--source-volume", VOLUME_ID], "cannot be used with option"],
    [["create", "--snapshot", VOLUME_ID, "--source-volume", VOLUME_ID], "cannot be used with option"],
    [["create", "--sizes", "1"], "unknown option '--sizes' (Did you mean --size?) (see cinderless create --help)"],
    [["show"], "missing required argument 'volume' (see cinderless show --help)"],
    [["delete"], "missing required argument 'volumes'"],
    [["list", "--limit", "0"], "It must be a whole number, 1 or more."],
    [["image", "add", "disk.raw", "--min-disk", "-1"], "argument '-1' is invalid. It must be a whole number of GiB."],
    [["image", "add", "disk.raw", "--id", "x"], "It must be a UUID."],
    [["type", "create", ""], "It must not be empty."],
    [["volume"], "unknown command 'volume' (see cinderless --help)"],
    [["list", "extra"], "too many arguments"],
    [["list", "-f", "xml"], "Allowed choices are table, json, yaml, value, csv."],
    [["list", "--sort", "size:up"], "It must be TITLE, TITLE:asc or TITLE:desc"],
    [["show", "data", "-f", "csv"], "Allowed choices are table, json, yaml, value."],
    [["create", "one", "--name", "two", "--size", "1"], "the name is given twice"],
    [["create", "--size", "1", "--source", "a", "--source-volume", "b"], "cannot be used with option"],
    [["create", "--size", "1", "--client-token", "a b"], "It must be 1 to 255 visible ASCII characters."],
    [["create", "--size", "1", "--timeout", "10m"], "--timeout is for --wait"],
    [["create", "--size", "1", "--wait", "--timeout", "soon"], "It must be a span of time such as 90s, 10m or 2h."],
    [["extend", "data", "0"], "It must be a whole number of GiB, 1 or more."],
    [["set", "data"], "there is nothing to change"],
    [["set", "data", "--bootable", "--non-bootable"], "--bootable and --non-bootable exclude each other"],
    [["type", "set", "fast", "--property", "a=1", "--unset-property", "a"], "cannot be set and removed at once"],
    [["help", "nothing"], "there is no command or topic 'nothing' (the topics are formats, exit-status,"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish."],
  ])("%j", async (argv, message) => {
    const { status, stdout, stderr } = await runCli(argv, {
      volumes: {},
      snapshots: {},
      images: {},
      volumeTypes: {},
    });
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: .*\n$/);
    expect(stderr).toContain(message);
  });

  test("as a document with --json", async () => {
    const { status, stderr } = await runCli(["show", "--json"]);
    expect(status).toBe(2);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        name: "UsageError",
        message: "missing required argument 'volume'",
        hint: "see cinderless show --help",
      },
    });
  });

  test("watch --json without ids has no end, so it is refused", async () => {
    const { status, stderr } = await runCli(["watch", "--json"], { volumes: {} });
    expect([status, stderr.includes("watch --json needs the ids of the volumes")]).toEqual([2, true]);
  });

  test.each([[["--json"]], [["snapshot", "--json"]], [["image", "cache", "--json"]]])(
    "%j without a command is one document",
    async (argv: string[]) => {
      const { status, stdout, stderr } = await runCli(argv);
      expect([status, stdout]).toEqual([2, ""]);
      expect(JSON.parse(stderr).error).toMatchObject({
        name: "UsageError",
        message: expect.stringContaining("needs a command"),
      });
    },
  );

  test("CINDERLESS_DEBUG adds the stack to the document, which stays one", async () => {
    const { stderr } = await runCli(["list", "--json"], {}, { environment: { CINDERLESS_DEBUG: "1" } });
    expect(JSON.parse(stderr).error).toMatchObject({ message: "volumes was asked for", stack: expect.any(Array) });
  });

  test.each([[[]], [["snapshot"]], [["image"]]])("%j without a command shows the help", async (argv: string[]) => {
    const { status, stdout, stderr } = await runCli(argv);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("Commands:");
  });
});

describe("global options", () => {
  test.each([[["--outputs", "o.json", "--stack", "S", "list"]], [["list", "--outputs", "o.json", "--stack", "S"]]])(
    "are taken before and after the command: %j",
    async (argv) => {
      const { targets } = await runCli(argv, { volumes: { list: async () => ({ items: [] }) } });
      expect(targets).toEqual([{ outputs: "o.json", stack: "S" }]);
    },
  );

  test("a profile's deployment is taken, unless the command line names one", async () => {
    const profile = (name: string | undefined) => (name === "staging" ? { stack: "S", region: "r", project: "p" } : {});
    const parts = { volumes: { list: async () => ({ items: [] }) } };
    expect((await runCli(["list", "--profile", "staging"], parts, { profile })).targets).toEqual([
      { stack: "S", region: "r" },
    ]);
    expect((await runCli(["list", "--profile", "staging", "--outputs", "o"], parts, { profile })).targets).toEqual([
      { stack: undefined, outputs: "o", region: "r" },
    ]);
  });

  test("the connection is closed after success and after failure", async () => {
    const good = await runCli(["list"], { volumes: { list: async () => ({ items: [] }) } });
    const bad = await runCli(["list"], {
      volumes: {
        list: async () => {
          throw new Error("no");
        },
      },
    });
    expect([good.status, good.closed, bad.status, bad.closed]).toEqual([0, 1, 1, 1]);
  });
});
