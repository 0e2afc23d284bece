import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ENVIRONMENT } from "../../core/settings/environment.ts";
import { runCli } from "../support/cli-context.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

type Manifest = Record<"scripts" | "dependencies" | "devDependencies" | "optionalDependencies", Record<string, string>>;
const manifest = JSON.parse(read("package.json")) as Manifest;

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

const pages = globSync(["README.md", "docs/**/*.md", "packages/*/README.md"], { cwd: ROOT }).toSorted();

/** Folders of the repository, as a path in a text begins. */
const FOLDERS = "core|adapters|lambdas|statemachine|infra|local|cli|packages|simulation|test|verify|docs|scripts|bench";

describe.each(pages)("%s", (page) => {
  const text = read(page);

  test("links to pages and pictures that exist", () => {
    const targets = Array.from(text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g), ([, target = ""]) => target);
    const missing = targets.filter((target) => !existsSync(path.join(ROOT, path.dirname(page), target)));
    expect(missing).toEqual([]);
  });

  test("links to headings that exist", () => {
    const targets = Array.from(text.matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g), ([, file = "", heading = ""]) => ({
      file: file === "" ? page : path.join(path.dirname(page), file),
      heading,
    }));
    const missing = targets.filter(({ file, heading }) => !headingsOf(file).includes(heading));
    expect(missing).toEqual([]);
  });

  test("names commands and options that there are", async () => {
    const named = Array.from(text.matchAll(/npx cinderless ([^`\n#|]*)/g), ([, words = ""]) => words.trim());
    const wrong = await Promise.all([...new Set(named)].map(unknownWords));
    expect(wrong.flat()).toEqual([]);
  });

  test("names files that exist", () => {
    const named = Array.from(text.matchAll(new RegExp(`\`((?:${FOLDERS})/[\\w./-]*)\``, "g")), ([, file = ""]) => file);
    expect(named.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });

  test("names scripts of npm that there are", () => {
    const scripts = Array.from(text.matchAll(/\bnpm run ([\w:-]+)/g), ([, script = ""]) => script);
    expect(scripts.filter((script) => manifest.scripts[script] === undefined)).toEqual([]);
  });
});

describe("the README's commands", () => {
  const sections = read("README.md").split(/^(?=## )/m);
  const blocks = sections.flatMap((section) =>
    Array.from(section.matchAll(/^```sh\n(.*?)^```/gms), ([, block = ""]) => ({ title: titleOf(section), block })),
  );
  const ci = read(".ci/run");
  /** Whether CI runs the command, alone or next to others. */
  const starts = (command: string): boolean => ["step", "begin"].some((word) => ci.includes(`${word} "${command}" `));

  test.each(blocks.map(({ title }) => title))("under %s are run by CI, or need an account", (title) => {
    expect(["# Cinderless", "## On this machine", "## On AWS", "## Guarantees"]).toContain(title);
  });

  test("that stand alone are steps of CI", () => {
    const alone = blocks.filter(({ title }) => title === "# Cinderless" || title === "## Guarantees");
    const commands = alone.flatMap(({ block }) =>
      block
        .split("\n")
        .flatMap((line) => line.replace(/#.*/, "").split("&&"))
        .map((command) => command.trim()),
    );
    const missing = commands.filter((command) => command !== "" && !starts(command));
    expect(commands.length).toBeGreaterThan(5);
    expect(missing).toEqual([]);
  });

  test("for this machine are followed as one", () => {
    expect(ci).toMatch(/^begin "\.ci\/readme" \d+ \.ci\/readme$/m);
    const machine = blocks.filter(({ title }) => title === "## On this machine");
    expect(machine.map(({ block }) => block.split(" ")[0])).toEqual(["npm", "source", "npx"]);
    expect(read(".ci/readme")).toContain('"## On this machine"');
  });
});

describe("the table of commands for those who work on it", () => {
  const table = read("docs/development.md");

  test.each(Object.keys(manifest.scripts))("has the npm script %s", (name) => {
    const command = name === "test" || name === "start" ? `npm ${name}` : `npm run ${name}`;
    expect(table).toMatch(new RegExp(`\`${command}( [^\`]*)?\``));
  });
});

describe("the index of decisions", () => {
  const files = readdirSync(path.join(ROOT, "docs/adr")).filter((file) => /^\d{4}-.*\.md$/.test(file));

  test("has a row with number, file and title for every page", () => {
    const rows = Array.from(
      read("docs/adr/README.md").matchAll(/^\| \[(\d{4})\]\(([^)]+)\) *\| (.*?) *\|$/gm),
      ([, number = "", file = "", title = ""]) => ({ number, file, title }),
    );
    const titles = files.map((file) => {
      const [, number = "", title = ""] = /^# (\d{4}) (.*)$/m.exec(read(`docs/adr/${file}`)) ?? [];
      return { number, file, title };
    });
    expect(rows).toEqual(titles);
  });

  test("uses each number once", () => {
    const numbers = files.map((file) => file.slice(0, 4));
    expect(numbers).toEqual([...new Set(numbers)]);
  });
});

describe("the changelog", () => {
  test("has each heading of a release once", () => {
    for (const release of read("CHANGELOG.md").split(/^## /m).slice(1)) {
      const headings = Array.from(release.matchAll(/^### (.*)$/gm), ([, heading]) => heading);
      expect(headings).toEqual([...new Set(headings)]);
    }
  });
});

function titleOf(section: string): string {
  return section.split("\n")[0] ?? "";
}

/** The names that GitHub gives to the headings of a page. */
function headingsOf(page: string): string[] {
  return Array.from(read(page).matchAll(/^#+ (.*)$/gm), ([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The words of a command line that its command's help does not contain. */
async function unknownWords(line: string): Promise<string[]> {
  const words = line.replaceAll(/--(?:outputs|stack) \S+/g, "").match(/\S+/g) ?? [];
  const command = words.filter((word) => !word.startsWith("-"));
  const { stdout } = await runCli([...command.slice(0, 3), "--help"]);
  const options = words.filter((word) => word.startsWith("--"));
  const unknown = options.filter((option) => !new RegExp(`^ +(-h, )?${option}\\b`, "m").test(stdout));
  return stdout.includes(`Usage: cinderless ${command[0] ?? "["}`) ? unknown : [line];
}

describe("the table of dependencies", () => {
  const table = read("README.md").split("## Dependencies")[1] ?? "";
  const manifests = globSync(["package.json", "packages/*/package.json"], { cwd: ROOT }).map(
    (file) => JSON.parse(read(file)) as Manifest,
  );
  const packages = manifests.flatMap(({ dependencies, devDependencies, optionalDependencies }) =>
    Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }),
  );

  test.each([...new Set(packages)])("gives a reason for %s", (name) => {
    expect(table.includes(`\`${name}\``)).toBe(true);
  });

  test("names no package that is not installed", () => {
    const cells = table.split("\n").filter((line) => line.startsWith("| `"));
    const named = cells.flatMap((line) =>
      Array.from((line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g), ([, name]) => name),
    );
    expect(named.filter((name) => name === undefined || !packages.includes(name))).toEqual([]);
  });
});

test("the configuration's page names every variable of the functions", () => {
  const page = read("docs/configuration.md");
  expect(Object.values(ENVIRONMENT).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
