import { readFile } from "node:fs/promises";
import { Graphviz } from "@hpcc-js/wasm-graphviz";
import { inlineTemplate } from "../../infra/inline-template.ts";
import type { KeptResults } from "../../verify/mutation/command.ts";
import type { TempestResults } from "../../verify/tempest/results.ts";
import { architecturePicture } from "./architecture-picture.ts";
import { cinderDifferences } from "./cinder-differences.ts";
import { readDefinition } from "./definition.ts";
import { errorTable } from "./error-table.ts";
import { lifecycleGraph, lifecycleLegend, lifecyclePage } from "./lifecycle.ts";
import { legendGraph } from "./legend-graph.ts";
import { permissionsTable } from "./permissions-table.ts";
import { picture } from "./picture.ts";
import { tempestPage } from "./tempest.ts";
import { testingPage, type TestResults } from "./testing.ts";
import { workflowGraph } from "./workflow-graph.ts";

/** Every generated document by its path in the repository. The same sources give the same bytes. */
export async function generateDocuments(): Promise<Map<string, string>> {
  const graphviz = await Graphviz.load();
  const draw = (graph: string): string => graphviz.layout(graph, "svg", "dot");
  const title = "The workflow create-volume: its states, and the routes of failures";
  const workflow = draw(workflowGraph(readDefinition()));
  const template = inlineTemplate();
  const errors = await readFile(new URL("../../core/errors.ts", import.meta.url), "utf8");
  return new Map([
    ["docs/create-volume.svg", picture(title, workflow, draw(legendGraph()))],
    [
      "docs/architecture.svg",
      architecturePicture("The stack: the way of a create, and the start and data of each function", template),
    ],
    ["docs/lifecycle.svg", picture("The states of a volume's record", draw(lifecycleGraph()), draw(lifecycleLegend()))],
    ["docs/lifecycle.md", lifecyclePage()],
    ["docs/permissions.md", permissionsTable(template)],
    ["docs/errors.md", errorTable(errors)],
    ["docs/cinder-differences.md", cinderDifferences()],
    ["docs/tempest.md", tempestPage(await kept<TempestResults>("tempest-results"))],
    ["docs/testing.md", testingPage(await kept<TestResults>("test-results"), await kept<KeptResults>("mutation"))],
  ]);
}

/** The numbers of earlier measurements. */
async function kept<Results>(name: string): Promise<Results> {
  return JSON.parse(await readFile(new URL(`../../docs/${name}.json`, import.meta.url), "utf8")) as Results;
}
