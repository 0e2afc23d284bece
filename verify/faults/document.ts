import { table } from "../../scripts/docs/table.ts";
import { CALL_FAULTS, type FaultName, VISIT_FAULTS } from "../../simulation/faults.ts";
import { INVARIANTS, UNDECIDED_BOUND_SECONDS } from "./invariants.ts";
import type { Counts } from "./command.ts";
import { SCENARIOS } from "./scenarios.ts";
import { duration, lettersOf, type Square, type Summary } from "./summary.ts";

const EXPLANATIONS: Readonly<Record<FaultName, string>> = { ...CALL_FAULTS, ...VISIT_FAULTS };

/** The matrix as `docs/fault-matrix.md`, formed as the formatter forms it. */
export function documentOf(
  summary: Summary,
  { cells, pairs, violated }: Omit<Counts, "seconds">,
  seed: number,
): string {
  return `# The fault matrix

Written by \`npm run faults -- --write\`. Every function of the deployed template runs, as it is deployed, on ports in memory and in
virtual time: its queues with their visibility time-outs and dead letters, its rules and schedules, its state machine. A cell is one
fault at one place of one scenario: at a call of a port, or at an invocation as a whole. After the fault everything continues until
it rests. The run then checks the twelve invariants from the records, the backends' contents, the queues and the notifications. A
state, a function or a call of a port that no scenario reaches fails the run, so new code cannot be overlooked.

${table(
  ["", ""],
  [
    ["cells of one fault", String(cells)],
    [`random pairs of faults (seed ${seed})`, String(pairs)],
    ["cells that violate an invariant", String(violated)],
    ["the published bound", `a volume is decided ${duration(UNDECIDED_BOUND_SECONDS)} after its last progress`],
  ],
)}

![Functions by faults: the longest delay until rest](fault-matrix.svg)

## Functions by faults

The ends of the volumes over all scenarios (A available, E error, G gone, D deleting), and the longest delay until rest compared
with an undisturbed run; \`!\` marks a violation. "Available" under a fault means that a retry or a net fixed it; a delay of an hour
is that of a fault which only the sweep can see.

${tableOf(summary, Object.keys(CALL_FAULTS) as FaultName[])}

${tableOf(summary, Object.keys(VISIT_FAULTS) as FaultName[])}

## The faults

${Object.entries(EXPLANATIONS)
  .map(([name, text]) => `- **${name}**: ${text}.`)
  .join("\n")}

## The scenarios

${SCENARIOS.map(({ name, end }) => `- ${name}: ends ${end === "gone" ? "gone" : `as \`${end}\``}`).join("\n")}

## The invariants

${Object.entries(INVARIANTS)
  .map(([number, text]) => `${number}. ${text}`)
  .join("\n")}

## Not covered

- A backend that cannot close attempts: the simulated ones can, as the file driver does. [Guarantees](guarantees.md#late-effects) says
  what is promised without that.
- A fault that never ends: \`each time\` strikes at every try of one visit (all retries of a state, all deliveries of a message), and
  the next visit works again.
- Faults of the AWS services below their documented behaviour, such as a queue that loses what it has accepted; the one
  exception, a message that is never delivered, shows what the sweep is for.
`;
}

function tableOf({ rows, faults }: Summary, shown: readonly FaultName[]): string {
  const columns = shown.filter((fault) => faults.includes(fault));
  return table(
    ["function", ...columns],
    rows.map(({ functionName, squares }) => [functionName, ...columns.map((fault) => entryOf(squares[fault]))]),
  );
}

function entryOf(square: Square | undefined): string {
  return square === undefined
    ? ""
    : `${square.violated > 0 ? "! " : ""}${lettersOf(square)} ${duration(square.slowestSeconds)}`;
}
