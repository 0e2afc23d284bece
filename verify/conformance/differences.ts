import type { Given } from "./cases.ts";
import type { Outcome } from "./outcome.ts";

/** What a row looks at: what was given, what is expected so far, and what was done. */
export type Looked = { given: Given; expected: Outcome; actual: Outcome };

export type Difference = {
  number: number;
  title: string;
  expect(looked: Looked): Outcome | undefined;
};
export const DIFFERENCES: readonly Difference[] = [];
