/** Names that a person may have meant by one that is not known. */

/** Most edits of a typing error, for a name of this length. */
const CHARACTERS_PER_EDIT = 3;

/**
 * The known name that is most like `name`, or undefined when none is like it. Case, `_` and `-` do not count, so `capacityGb` is
 * `capacity_gb`.
 */
function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = bare(name);
  const [best] = known
    .map((each) => ({ each, distance: editDistance(wanted, bare(each)) }))
    .toSorted((one, other) => one.distance - other.distance);
  return best !== undefined && best.distance <= wanted.length / CHARACTERS_PER_EDIT ? best.each : undefined;
}

/** `unknown option capacityGb; did you mean capacity_gb? Allowed are directory, capacity_gb`. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  const shown = name.slice(0, 80);
  const hint = nearest === undefined ? "" : ` did you mean ${nearest}?`;
  return `unknown ${what} ${shown};${hint} allowed: ${known.join(", ")}`;
}

function bare(name: string): string {
  return name
    .slice(0, 80)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (isSame ? 0 : 1),
          isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return last[other.length] ?? 0;
}
