import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { FUNCTION_NAMES, FUNCTIONS } from "../../core/settings/functions.ts";
import { inlineTemplate } from "../../infra/inline-template.ts";
import { groupsOf } from "../../scripts/docs/architecture-rows.ts";
import { readDefinition, type Definition } from "../../scripts/docs/definition.ts";
import { errorTable } from "../../scripts/docs/error-table.ts";
import { generateDocuments } from "../../scripts/docs/generate.ts";
import { workflowGraph } from "../../scripts/docs/workflow-graph.ts";
import { tableAccess } from "../../scripts/permissions/table-access.ts";

const GENERATED = [
  "docs/architecture.svg",
  "docs/cinder-differences.md",
  "docs/create-volume.svg",
  "docs/errors.md",
  "docs/lifecycle.md",
  "docs/lifecycle.svg",
  "docs/permissions.md",
  "docs/tempest.md",
  "docs/testing.md",
];

describe("the generated documents", () => {
  let documents: Map<string, string>;
  beforeAll(async () => {
    documents = await generateDocuments();
  });

  test.each(GENERATED)("%s is what `npm run docs` writes", async (name) => {
    const stored = await readFile(new URL(`../../${name}`, import.meta.url), "utf8");
    expect(stored === documents.get(name), `${name} is stale: npm run docs`).toBe(true);
  });

  test("nothing else is generated", () => {
    expect([...documents.keys()].toSorted()).toEqual(GENERATED);
  });

  test("are the same twice", async () => {
    expect(await generateDocuments()).toEqual(documents);
  });
});

test("the functions have the rights on tables that their declared ports need", async () => {
  const stored = await readFile(new URL("../../infra/table-access.json", import.meta.url), "utf8");
  expect(stored === (await tableAccess()), "infra/table-access.json is stale: npm run docs").toBe(true);
});

describe("the picture of the stack", () => {
  const template = inlineTemplate();
  const rows = groupsOf(template).flatMap((group) => group.rows);

  test("has a row for each function, with what starts it", () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual(
      ["create-volume, 14 tasks", ...FUNCTION_NAMES.filter((name) => FUNCTIONS[name].kind !== "task")].toSorted(),
    );
    expect(rows.filter(({ starts }) => starts.length === 0)).toEqual([]);
  });

  test("shows permissions of the template as uses of stores and queues", () => {
    const scheduling = rows.find(({ name }) => name === "ScheduleVolume");
    expect(scheduling?.starts).toEqual([{ kind: "queue", label: "scheduler queue" }]);
    expect(scheduling?.uses.get("RecordsVolumesTable")).toBe("writes");
    expect(scheduling?.uses.get("RecordsVolumeTypesTable")).toBe("reads");
    expect(scheduling?.uses.get("MessagingNotificationsTopic")).toBe("sends");
  });
});

describe("the picture of the workflow", () => {
  let definition: Definition;
  beforeAll(() => {
    definition = readDefinition();
  });

  test("has every state and every step", () => {
    const graph = workflowGraph(definition);
    for (const [name, { Next, Default, Choices = [] }] of Object.entries(definition.States)) {
      expect(graph).toContain(`"${name}" [`);
      for (const next of [Next, Default, ...Choices.map((rule) => rule.Next)].filter((to) => to !== undefined)) {
        // The way into a wait is drawn backwards.
        expect([`"${name}" -> "${next}"`, `"${next}" -> "${name}"`].some((edge) => graph.includes(edge))).toBe(true);
      }
    }
  });

  test("has every target of a failure, from the state or from its frame", () => {
    const failures = workflowGraph(definition)
      .split("\n")
      .filter((line) => line.includes('style="dashed"'));
    for (const { Catch = [] } of Object.values(definition.States)) {
      for (const { Next } of Catch) {
        expect(failures.some((line) => line.includes(`-> "${Next}"`))).toBe(true);
      }
    }
  });

  test("changes with the definition", () => {
    const changed = structuredClone(definition);
    changed.States["ExtractVolumeSpec"] = { Type: "Task", Next: "CreateVolumeFromSpec" };
    expect(workflowGraph(changed)).not.toBe(workflowGraph(definition));
  });

  test("names a state that is not defined", () => {
    expect(() => workflowGraph({ StartAt: "First", States: { First: { Type: "Task", Next: "Missing" } } })).toThrow(
      "no state Missing",
    );
  });
});

describe("the page of errors", () => {
  test("refuses a name without a documented class", () => {
    expect(() => errorTable("export class VolumeNotFound extends Error {}")).toThrow(
      "no documented class InvalidInput",
    );
  });
});
