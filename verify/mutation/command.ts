import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Bug, CATALOG } from "./catalog.ts";
import { type Options, UsageError } from "./options.ts";
import { type AreaScore, runArea } from "./run-area.ts";
import { type Caught, requireSound, runBug } from "./run-bug.ts";
import { revision } from "./revision.ts";
import { Sandbox } from "./sandbox.ts";
import { synthesise } from "./synthesis.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RESULTS = fileURLToPath(new URL("../../docs/mutation.json", import.meta.url));

/** How many survivors of an area are printed. */
const SURVIVORS_SHOWN = 20;

/** The content that `--write` keeps. */
export type KeptResults = {
  areas: Record<string, Pick<AreaScore, "killed" | "survived" | "score" | "lines" | "allLines"> & { commit: string }>;
  catalog: { bugs: number; caughtByUnit: number; caughtByMatrix: number };
};

/** Runs what is asked for and prints it. @returns the exit status @throws UsageError */
export function runMutation(options: Options): Promise<number> {
  return options.mode === "promises" ? runCatalog(options) : runAreas(options);
}

async function runAreas(options: Options): Promise<number> {
  const scores: AreaScore[] = [];
  for (const area of options.areas) {
    const score = await runArea(area, options);
    scores.push(score);
    if (!options.json) {
      process.stdout.write(`${areaText(score)}\n`);
    }
  }
  if (options.write) {
    const commit = await revision(ROOT);
    await keep(({ catalog, areas }) => ({
      catalog,
      areas: {
        ...areas,
        ...Object.fromEntries(
          scores.map(({ area, survivors: _survivors, ...counts }) => [area, { ...counts, commit }]),
        ),
      },
    }));
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ seed: options.seed, areas: scores })}\n`);
  }
  return scores.every(({ score }) => score >= options.least) ? 0 : 1;
}

function areaText({ area, killed, survived, score, lines, allLines, survivors }: AreaScore): string {
  const shown = survivors.slice(0, SURVIVORS_SHOWN).map(({ file, line, mutator, replacement }) => {
    const change = replacement.replaceAll(/\s+/g, " ").slice(0, 60);
    return `  survived  ${file}:${line}  ${mutator}: ${change}`;
  });
  const more = survivors.length - shown.length;
  return [
    `${area}: ${score.toFixed(1)} % of ${killed + survived} changes caught (${lines} of ${allLines} lines sampled)`,
    ...shown,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join("\n");
}

async function runCatalog(options: Options): Promise<number> {
  const bugs = bugsOf(options.bugs);
  const left = bugs.values();
  const caught: Caught[] = [];
  const synthesis = await synthesise(ROOT);
  const first = await Sandbox.of(ROOT, synthesis);
  try {
    await requireSound(first, bugs);
  } finally {
    await first.remove();
  }
  const worker = async (): Promise<void> => {
    const sandbox = await Sandbox.of(ROOT, synthesis);
    try {
      for (const bug of left) {
        const result = await runBug(sandbox, bug, options.whole);
        caught.push(result);
        if (!options.json) {
          process.stdout.write(`${bugText(result)}\n`);
        }
      }
    } finally {
      await sandbox.remove();
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, bugs.length) }, worker));
  const survived = caught.filter(({ unit, matrix }) => unit === null || matrix === null);
  const counts = {
    bugs: caught.length,
    caughtByUnit: caught.filter(({ unit }) => unit !== null).length,
    caughtByMatrix: caught.filter(({ matrix }) => matrix !== null).length,
  };
  if (options.write) {
    await keep(({ areas }) => ({ areas, catalog: counts }));
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...counts, results: caught })}\n`);
  } else {
    process.stdout.write(
      `${counts.bugs} bugs: ${counts.caughtByUnit} caught by a unit test, ${counts.caughtByMatrix} by the fault matrix\n`,
    );
  }
  return survived.length === 0 ? 0 : 1;
}

/** @throws UsageError */
function bugsOf(ids: readonly string[]): readonly Bug[] {
  return ids.length === 0
    ? CATALOG
    : ids.map((id) => {
        const bug = CATALOG.find((each) => each.id === id);
        if (bug === undefined) {
          throw new UsageError(`the catalog has no bug ${JSON.stringify(id)}`);
        }
        return bug;
      });
}

function bugText({ bug, unit, matrix, problem }: Caught): string {
  const verdict = problem === undefined && unit !== null && matrix !== null ? "caught  " : "SURVIVED";
  return [
    `${verdict}  promise ${bug.promise}  ${bug.id}: ${bug.title}`,
    ...(problem === undefined ? [] : [`  problem: ${problem}`]),
    `  unit    ${unit ?? "no test failed"}`,
    `  matrix  ${matrix === null ? "no promise broken" : `${matrix.cell}: ${matrix.said}`}`,
  ].join("\n");
}

async function keep(change: (results: KeptResults) => KeptResults): Promise<void> {
  const empty: KeptResults = { areas: {}, catalog: { bugs: 0, caughtByUnit: 0, caughtByMatrix: 0 } };
  const known = await readFile(RESULTS, "utf8").then(
    (text) => JSON.parse(text) as KeptResults,
    () => empty,
  );
  await writeFile(RESULTS, `${JSON.stringify(change(known), null, 2)}\n`);
}
