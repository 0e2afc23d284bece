import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describeError } from "../../core/errors.ts";
import { readExchanges } from "./api/exchanges.ts";
import { type ApiResult, replay } from "./api/replay.ts";
import { type CaseResult, runCases, unusedRows } from "./case-run.ts";
import { parseCases, type RecordedCase } from "./cases.ts";
import { EXIT, UnusableInput } from "./exit.ts";
import { imageLine, runImages } from "./images.ts";
import { parseCorpus } from "./images/corpus.ts";
import type { ConformanceOptions } from "./options.ts";
import { caseLines, totalsLine, totalsOf, vectorLines } from "./report.ts";
import { parseVectors, runVectors, type VectorResult } from "./vectors/vector-run.ts";

const OWN_CASES = ownFiles("create-volume-cases.json", "more-kinds-cases.json");
const OWN_VECTORS = ownFiles("scheduler-vectors.json", "more-kinds-vectors.json");

function ownFiles(...names: string[]): string[] {
  return names.map((name) => fileURLToPath(new URL(`../../test/data/${name}`, import.meta.url)));
}

/**
 * Replays what the options name and reports of it.
 *
 * @returns the exit status
 * @throws UnusableInput
 */
export async function conformance(options: ConformanceOptions): Promise<number> {
  if (options.api === true) {
    return conformanceOfApi(options);
  }
  if (options.images !== undefined) {
    return conformanceOfImages(options.images, options);
  }
  const isBoth = options.cases === undefined && options.vectors === undefined;
  const cases = await readAll(isBoth ? OWN_CASES : options.cases, parseCases);
  const vectors = await readAll(isBoth ? OWN_VECTORS : options.vectors, parseVectors);
  const isWanted = (name: string): boolean => options.only === undefined || name.includes(options.only);
  const wantedCases = cases.flat().filter(({ case: name }: RecordedCase) => isWanted(name));
  const vectorResults = vectors.flatMap(runVectors).filter(({ name }) => isWanted(name));
  if (options.only !== undefined && wantedCases.length + vectorResults.length === 0) {
    throw new UnusableInput(`no case and no vector has ${options.only} in its name`);
  }
  const caseResults = await runCases(wantedCases);
  // Whether every row of the list is needed can be said of the project's own cases only, and of all of them.
  const isWhole = isBoth && options.only === undefined;
  return report(options, caseResults, vectorResults, isWhole ? unusedRows(caseResults) : []);
}

/** Replays all exchanges: each may need what one before it has made. */
async function conformanceOfApi({ json, only, verbose }: ConformanceOptions): Promise<number> {
  if (only !== undefined) {
    throw new UnusableInput("--only does not go with --api: each request may need what one before it has made");
  }
  const results: ApiResult[] = [];
  await replay(await readExchanges(), (result) => {
    results.push(result);
    const isNotable = result.verdict === "different" || (verbose && result.verdict !== "same as Cinder");
    if (!json && isNotable) {
      console.log(apiLines(result).join("\n"));
    }
  });
  const totals = totalsOf(results.map(({ verdict }) => verdict));
  const unexplained = results.filter(({ verdict }) => verdict === "different").length;
  if (json) {
    console.log(JSON.stringify({ totals: { exchanges: totals, unexplained }, exchanges: results }, undefined, 2));
  } else {
    console.log(`${totalsLine("exchanges", totals)}; ${unexplained} unexplained`);
  }
  return unexplained === 0 ? EXIT.same : EXIT.different;
}

function apiLines({ name, verdict, reason, differences }: ApiResult): string[] {
  return [
    `${name}: ${verdict}${reason === undefined ? "" : `: ${reason}`}`,
    ...differences.map((line) => `    ${line}`),
  ];
}

async function conformanceOfImages(directory: string, { json, only }: ConformanceOptions): Promise<number> {
  await read(path.join(directory, "expected.json"), parseCorpus);
  const images = await runImages(directory, only, (result) => {
    if (!json) {
      console.log(imageLine(result));
    }
  });
  const totals = totalsOf(images.map(({ differences }) => (differences.length === 0 ? "as expected" : "different")));
  console.log(json ? JSON.stringify({ totals, images }, undefined, 2) : totalsLine("images", totals));
  return images.length === 0 || images.some(({ differences }) => differences.length > 0) ? EXIT.different : EXIT.same;
}

/** The content of each file; none without a file. */
async function readAll<Content>(
  files: string | string[] | undefined,
  parse: (text: string) => Content,
): Promise<Content[]> {
  const contents = await Promise.all([files ?? []].flat().map((file) => read(file, parse)));
  return contents.filter((content) => content !== undefined);
}

async function read<Content>(file: string | undefined, parse: (text: string) => Content): Promise<Content | undefined> {
  if (file === undefined) {
    return undefined;
  }
  try {
    return parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new UnusableInput(`${file}: ${describeError(error).message}`, { cause: error });
  }
}

function report(
  { json, verbose }: ConformanceOptions,
  cases: readonly CaseResult[],
  vectors: readonly VectorResult[],
  unused: readonly number[],
): number {
  const caseTotals = totalsOf(cases.map(({ verdict }) => verdict.kind));
  const vectorTotals = totalsOf(vectors.map(({ verdict }) => verdict));
  const bad = [...cases.map(({ verdict }) => verdict.kind), ...vectors.map(({ verdict }) => verdict)].filter(
    (kind) => kind === "different" || kind === "error",
  ).length;
  if (json) {
    const totals = { cases: caseTotals, vectors: vectorTotals, unused_rows: unused, unexplained: bad };
    console.log(JSON.stringify({ totals, cases, vectors }, undefined, 2));
  } else {
    const notable = vectors.filter(({ verdict }) => verbose || verdict !== "same as Cinder");
    const lines = [
      ...cases.flatMap((result) => caseLines(result, verbose)),
      ...notable.flatMap(vectorLines),
      ...unused.map((number) => `Row ${number} of the differences is needed by no case: take it out.`),
      `${totalsLine("cases", caseTotals)}; ${totalsLine("vectors", vectorTotals)}; ${bad} unexplained`,
    ];
    console.log(lines.join("\n"));
  }
  return bad > 0 || unused.length > 0 ? EXIT.different : EXIT.same;
}
