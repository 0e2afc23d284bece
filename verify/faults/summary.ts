import { CALL_FAULTS, type FaultName, VISIT_FAULTS } from "../../simulation/faults.ts";
import type { CellResult } from "./matrix.ts";

/** The results of all cells of one function and one fault. */
export type Square = {
  cells: number;
  violated: number;
  /** How many volumes ended in which way. */
  ends: Record<string, number>;
  /** The longest time by which a cell came to rest later than its scenario does undisturbed. */
  slowestSeconds: number;
};

/** The matrix: functions by faults, both in the order in which they are to be shown. */
export type Summary = {
  rows: { functionName: string; squares: Partial<Record<FaultName, Square>> }[];
  faults: FaultName[];
};

/** Every fault, those of a call first. */
export const FAULT_NAMES: readonly FaultName[] = [
  ...(Object.keys(CALL_FAULTS) as FaultName[]),
  ...(Object.keys(VISIT_FAULTS) as FaultName[]),
];

/** Sums up the cells of one fault; pairs stand in no square. */
export function summarize(results: readonly CellResult[], functionNames: readonly string[]): Summary {
  const rows = new Map<string, Partial<Record<FaultName, Square>>>();
  for (const { cell, ends, delaySeconds, violations } of results) {
    if (cell.second === undefined) {
      const squares = rows.get(cell.functionName) ?? {};
      rows.set(cell.functionName, squares);
      const square = (squares[cell.fault.fault] ??= { cells: 0, violated: 0, ends: {}, slowestSeconds: 0 });
      square.cells += 1;
      square.violated += violations.length > 0 ? 1 : 0;
      square.slowestSeconds = Math.max(square.slowestSeconds, delaySeconds);
      for (const end of ends) {
        square.ends[end] = (square.ends[end] ?? 0) + 1;
      }
    }
  }
  const known = functionNames.filter((name) => rows.has(name));
  return {
    faults: FAULT_NAMES.filter((fault) => [...rows.values()].some((squares) => squares[fault] !== undefined)),
    rows: known.map((functionName) => ({ functionName, squares: rows.get(functionName) ?? {} })),
  };
}

/** `1h02`, `15m`, `8s`: three to five characters. */
export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 100) {
    return `${Math.ceil(seconds)}s`;
  }
  return minutes < 60 ? `${minutes}m` : `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}`;
}

/** Letters of the ends that occur: available, error, gone, deleting. */
export function lettersOf({ ends }: Square): string {
  const letters = Object.keys(ends).map((end) => (end === "migration_target" ? "A" : end.charAt(0).toUpperCase()));
  return [...new Set(letters)].sort().join("");
}
