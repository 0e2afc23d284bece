import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Lines of a file that are changed together. Stryker takes mutants that lie wholly inside. */
type Block = { file: string; from: number; to: number };

/** Short enough that a sample reaches many files, long enough for whole statements. */
const BLOCK_LINES = 25;

/** Changes for each line of code, measured over this repository. */
const MUTANTS_PER_LINE = 1.2;

/**
 * Draws blocks of lines of an area at random until they hold about `mutants` changes. Returned as Stryker's `mutate` patterns,
 * `file:from-to`.
 *
 * @param random numbers from 0 to 1; the same numbers draw the same lines
 */
export function sampleLines(
  root: string,
  sources: readonly string[],
  mutants: number,
  random: () => number,
): { patterns: string[]; lines: number; allLines: number } {
  const blocks = globSync([...sources], { cwd: root })
    .toSorted()
    .flatMap((file) => blocksOf(root, file));
  const allLines = blocks.reduce((sum, { code }) => sum + code, 0);
  const drawn: Block[] = [];
  let lines = 0;
  for (const { block, code } of shuffled(blocks, random)) {
    if (lines * MUTANTS_PER_LINE >= mutants) {
      break;
    }
    drawn.push(block);
    lines += code;
  }
  return { patterns: drawn.map(({ file, from, to }) => `${file}:${from}-${to}`), lines, allLines };
}

/** A file's blocks, each with its number of lines of code. */
function blocksOf(root: string, file: string): { block: Block; code: number }[] {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  const starts = Array.from({ length: Math.ceil(lines.length / BLOCK_LINES) }, (_, index) => index * BLOCK_LINES);
  return starts.map((start) => {
    const own = lines.slice(start, start + BLOCK_LINES);
    const code = own.filter((line) => !/^\s*(?:$|\*|\/[/*]|import |export type|[})\]]+[;,]?$)/.test(line)).length;
    return { block: { file, from: start + 1, to: start + own.length }, code };
  });
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((one, other) => one.key - other.key)
    .map(({ item }) => item);
}
