import { keptAudit, type KeptAudit } from "../../core/audit/kept-audit.ts";
import { explainError } from "../errors.ts";
import type { Session } from "../session.ts";
import type { AuditAnswer, Failure } from "./wire.ts";

/** Greatest age of the kept audit, which changes once an hour. */
const FRESH_MILLISECONDS = 5_000;

/** The last audit, which the deployment keeps, and audits that this console runs, one at a time. */
export class Audits {
  readonly #deployment: Pick<Session, "connection" | "clock">;
  #report: KeptAudit | null = null;
  #readAt = -Infinity;
  #runningSince: string | null = null;
  #runFailure: Failure | null = null;
  #readFailure: Failure | null = null;

  constructor(deployment: Pick<Session, "connection" | "clock">) {
    this.#deployment = deployment;
  }

  /** The last audit of the deployment, and whether this console runs one. Never throws: the answer has the failure. */
  async answer(): Promise<AuditAnswer> {
    const now = this.#deployment.clock.now().getTime();
    if (now - this.#readAt >= FRESH_MILLISECONDS) {
      this.#readAt = now;
      await this.#readKept();
    }
    return this.#answer();
  }

  /** Begins one, unless one runs. It may take a quarter of an hour. Nothing is reaped. */
  begin(): AuditAnswer {
    if (this.#runningSince === null) {
      this.#runningSince = this.#deployment.clock.now().toISOString();
      void this.#run();
    }
    return this.#answer();
  }

  #answer(): AuditAnswer {
    return {
      running_since: this.#runningSince,
      report: this.#report,
      failure: this.#runFailure ?? this.#readFailure,
    };
  }

  async #readKept(): Promise<void> {
    try {
      const kept = await (await this.#deployment.connection.audits()).last();
      if (kept !== undefined) {
        this.#take(kept);
      }
      this.#readFailure = null;
    } catch (error) {
      this.#readFailure = failureOf(error);
    }
  }

  async #run(): Promise<void> {
    try {
      const functions = await this.#deployment.connection.driverFunctions();
      this.#take(keptAudit(await functions.auditBackends({ reap: false })));
      this.#runFailure = null;
    } catch (error) {
      this.#runFailure = failureOf(error);
    } finally {
      this.#runningSince = null;
    }
  }

  #take(report: KeptAudit): void {
    if (this.#report === null || report.audited_at >= this.#report.audited_at) {
      this.#report = report;
    }
  }
}

function failureOf(error: unknown): Failure {
  const { name, message, hint } = explainError(error);
  return { name, message, hint };
}
