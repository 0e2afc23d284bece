import type { FunctionName } from "../core/settings/functions.ts";
import type { Account } from "./account.ts";
import type { RuleSettings } from "./deployment.ts";
import type { Execution } from "./executions.ts";

/** Waits before Lambda's two further tries of an asynchronous invocation that failed. */
const RETRY_WAITS_MS = [60_000, 120_000];

/** An event takes this long to its target. */
const DELIVERY_MS = 500;

/** EventBridge: the schedules, and the rule on executions that ended badly. */
export class Rules {
  readonly #account: Account;
  readonly #rules: readonly RuleSettings[];

  constructor(account: Account, rules: readonly RuleSettings[]) {
    this.#account = account;
    this.#rules = rules;
  }

  /**
   * Starts the schedules; they do not count as work under way.
   *
   * @param firstWithinSeconds the latest first tick of a schedule with a longer period
   */
  begin(firstWithinSeconds = Infinity): void {
    for (const { everySeconds, functionName, event } of this.#rules) {
      if (everySeconds !== null) {
        const offsetMs = Math.floor(this.#account.random() * Math.min(everySeconds, firstWithinSeconds) * 1000);
        this.#account.time.after(offsetMs, () => this.#tick(functionName, everySeconds, event), true);
      }
    }
  }

  /** Whether nothing was heard of an execution's end, and the sweep is all that is left. */
  executionEnded(execution: Execution): void {
    for (const { statuses, functionName } of this.#rules) {
      if (statuses.includes(execution.status)) {
        const { name, status, error, cause } = execution;
        this.#deliver(functionName, { detail: { name, status, error, cause } }, false);
      }
    }
  }

  #tick(functionName: FunctionName, everySeconds: number, event: unknown): void {
    this.#account.time.after(everySeconds * 1000, () => this.#tick(functionName, everySeconds, event), true);
    this.#deliver(functionName, event, true);
  }

  #deliver(functionName: FunctionName, event: unknown, isBackground: boolean): void {
    const visit = this.#account.nextVisit(functionName);
    this.#account.repeatLater(visit, () => void this.#invoke(functionName, event, visit, isBackground));
    if (this.#account.visitFault(visit, ["never delivered"]) === undefined) {
      this.#account.time.after(DELIVERY_MS, () => void this.#invoke(functionName, event, visit, isBackground));
    }
  }

  async #invoke(functionName: FunctionName, event: unknown, visit: string, isBackground: boolean): Promise<void> {
    for (const waitMs of [...RETRY_WAITS_MS, null]) {
      try {
        await this.#account.invoke(functionName, event, visit);
        return;
      } catch {
        if (waitMs === null) {
          return;
        }
        await new Promise<void>((resolve) => {
          this.#account.time.after(waitMs, resolve, isBackground);
        });
      }
    }
  }
}
