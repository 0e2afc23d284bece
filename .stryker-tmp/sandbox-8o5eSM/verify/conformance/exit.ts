/** Exit statuses. */
// @ts-nocheck

export const EXIT = { same: 0, different: 1, unusable: 2 };

/** Something that is wrong with the command line or a file, in one line. */
export class UnusableInput extends Error {
  override readonly name = "UnusableInput";
}
