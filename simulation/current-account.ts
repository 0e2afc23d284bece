import type { Account } from "./account.ts";

/** The account that the functions are in now: one at a time, as one run follows the other. */
let current: Account | undefined;

/** Lets the functions see this account from here on. */
export function simulate(account: Account): void {
  current = account;
}

/** The account of the run under way. */
export function simulated(): Account {
  if (current === undefined) {
    throw new Error("no account is simulated");
  }
  return current;
}
