import { type Command, InvalidArgumentError } from "commander";
import { backendHost } from "../../core/backends/backends.ts";
import { claimKeyOf, type OpenClaim, openClaimsOn } from "../../core/claims.ts";
import type { BackendRepository } from "../../core/ports.ts";
import type { BackendRecord } from "../../core/records.ts";
import { CliError, Interrupted } from "../errors.ts";
import { formatCapacity, formatDuration } from "../format.ts";
import { addListOptions, answerList, type Column, type ListOptions } from "../listing.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { styleOfStatus } from "../terminal.ts";

/** `backend list`: the backends and their free capacity. */
export function registerBackend(program: Command, context: CliContext): void {
  const backend = program
    .command("backend")
    .helpCommand(false)
    .summary("list backends")
    .description("Backends, one entry for each of their pools.");
  const command = backend
    .command("list")
    .summary("list backends and their capacity")
    .description(
      "List the backends that have reported, with their capacity in GiB. " +
        "One whose last report is older than the deployment's service_down_time is down and gets no volume. " +
        "Ratio is the over-subscription: the provisioned capacity may be this multiple of the total.",
    )
    .option("--wait", "wait until every configured backend is up, as after a deployment")
    .option("--timeout <seconds>", "with --wait, how long to wait", parseSeconds, DEFAULT_TIMEOUT_SECONDS);
  addListOptions(command, backendColumns(new Date(0), 0))
    .addHelpText("after", EXAMPLES)
    .action(
      inSession(context, async (session, options: Options) => {
        const backends = await (options.wait === true ? waitForReports(session, options.timeout) : reported(session));
        await listBackends(session, backends, options);
      }),
    );
}

type Options = ListOptions & { wait?: boolean; timeout: number };

const EXAMPLES = `
Examples:
  $ cinderless backend list
  $ cinderless backend list --wait --timeout 120
  $ cinderless backend list --json
`;

/** Backends report each minute, and the schedule of a new stack may start one minute later. */
const DEFAULT_TIMEOUT_SECONDS = 300;
const PAUSE_MS = 2000;

function parseSeconds(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) {
    throw new InvalidArgumentError("It must be a whole number of seconds, 1 to 99999.");
  }
  return Number(text);
}

async function reported(session: Session): Promise<BackendRecord[]> {
  return (await session.connection.backends()).list();
}

/**
 * Reads the backends until each configured one has a pool that is up. If the stack does not name its backends, one pool that is up
 * suffices.
 *
 * Throws: CliError that names the missing backends when the time is up; Interrupted after Ctrl-C.
 */
async function waitForReports(session: Session, timeoutSeconds: number): Promise<BackendRecord[]> {
  const hosts = await session.connection.backendHosts();
  const downSeconds = await session.connection.serviceDownSeconds();
  const interruption = session.interruption();
  const end = session.clock.now().getTime() + timeoutSeconds * 1000;
  for (;;) {
    const backends = await reported(session);
    const now = session.clock.now();
    const up = new Set(
      backends
        .filter((backend) => stateOfBackend(backend, now, downSeconds) === "up")
        .map(({ host }) => backendHost(host)),
    );
    const missing = hosts.filter((host) => !up.has(host));
    if (up.size > 0 && missing.length === 0) {
      return backends;
    }
    if (interruption.aborted) {
      throw new Interrupted("not every backend is up yet");
    }
    if (now.getTime() >= end) {
      throw new CliError(
        missing.length === 0
          ? `no backend is up after ${timeoutSeconds} s`
          : `not up after ${timeoutSeconds} s: ${missing.join(", ")}`,
        { hint: "the log of the function ReportBackends says why a backend does not report" },
      );
    }
    await session.sleep(PAUSE_MS, interruption);
  }
}

/** The claims that are open on each backend. */
export async function claimsByHost(
  repository: Pick<BackendRepository, "openClaims">,
  backends: readonly BackendRecord[],
): Promise<Map<string, OpenClaim[]>> {
  const open = await openClaimsOn(
    repository,
    backends.map(({ host }) => host),
  );
  return Map.groupBy(open, ({ host }) => host);
}

async function listBackends(session: Session, backends: readonly BackendRecord[], options: ListOptions): Promise<void> {
  const now = session.clock.now();
  const open = await claimsByHost(await session.connection.backends(), backends);
  const rows = backends.map((backend) => {
    const claims = (open.get(backend.host) ?? []).map((each) => [claimKeyOf(each), each.claim] as const);
    return { ...backend, claims: Object.fromEntries(claims) };
  });
  if (rows.length === 0 && !session.json && options.format === undefined) {
    session.stdout.write("no backend has reported yet\n");
    return;
  }
  const downSeconds = await session.connection.serviceDownSeconds();
  const documentOf = (row: BackendRecord) => ({ ...row, state: stateOfBackend(row, now, downSeconds) });
  const columns = backendColumns(now, downSeconds);
  await answerList(session, { key: "backends", one: "backend", many: "backends", rows, columns, documentOf }, options);
}

function backendColumns(now: Date, downSeconds: number): Column<BackendRecord>[] {
  const capacity = (title: string, of: (row: BackendRecord) => number | string | null): Column<BackendRecord> => {
    return { title, value: of, text: (row) => formatCapacity(of(row)), isRightAligned: true };
  };
  return [
    { title: "Host", value: ({ host }) => host, isKept: true },
    {
      title: "State",
      value: (row) => stateOfBackend(row, now, downSeconds),
      style: (row) => styleOfStatus(stateOfBackend(row, now, downSeconds)),
    },
    { title: "Zone", value: ({ availability_zone }) => availability_zone, isLong: true },
    capacity("Total", ({ total_capacity_gb }) => total_capacity_gb),
    capacity("Free", ({ free_capacity_gb: free }) => (typeof free === "number" ? Math.max(0, free) : free)),
    capacity("Allocated", ({ allocated_capacity_gb }) => allocated_capacity_gb),
    { ...capacity("Provisioned", ({ provisioned_capacity_gb }) => provisioned_capacity_gb), isLong: true },
    {
      title: "Ratio",
      value: ratioOf,
      text: (row) => ratioText(ratioOf(row)),
      isRightAligned: true,
    },
    { title: "Claims", value: ({ claims }) => Object.keys(claims).length, isRightAligned: true },
    {
      title: "Reported",
      value: ({ reported_at }) => reported_at,
      text: ({ reported_at }) => `${formatDuration(now.getTime() - Date.parse(reported_at))} ago`,
    },
  ];
}

/** The ratio that the backend reports; null where the scheduler's own is used. It has no meaning for a thick backend. */
function ratioOf(row: BackendRecord): number | string | null {
  return row.thin_provisioning_support ? row.max_over_subscription_ratio : 1;
}

function ratioText(ratio: number | string | null): string {
  return ratio === null ? "default" : formatCapacity(ratio);
}

/** Whether the scheduler would consider the backend. @param downSeconds `service_down_time` of the deployment */
export function stateOfBackend(
  backend: Pick<BackendRecord, "disabled" | "reported_at">,
  now: Date,
  downSeconds: number,
): "up" | "down" | "disabled" {
  if (backend.disabled) {
    return "disabled";
  }
  return now.getTime() - Date.parse(backend.reported_at) > downSeconds * 1000 ? "down" : "up";
}
