import { type Command, InvalidArgumentError, Option } from "commander";
import { backendHost } from "../../core/backends/backends.ts";
import type { BackendRecord } from "../../core/records.ts";
import { CliError, UsageError } from "../errors.ts";
import { formatTime } from "../format.ts";
import { addListOptions, answerList, type Column, type ListOptions } from "../listing.ts";
import { parseName } from "../options.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { styleOfStatus } from "../terminal.ts";
import { stateOfBackend } from "./backend.ts";

/** A backend with all of its pools, in the form in which `openstack volume service list` shows its service. */
type Service = {
  host: string;
  zone: string;
  status: "enabled" | "disabled";
  state: "up" | "down";
  updated_at: string;
  /** Null without a reason. */
  disabled_reason: string | null;
};

const COLUMNS: Column<Service>[] = [
  { title: "Binary", value: () => "cinder-volume" },
  { title: "Host", value: ({ host }) => host, isKept: true },
  { title: "Zone", value: ({ zone }) => zone },
  { title: "Status", value: ({ status }) => status, style: ({ status }) => styleOfStatus(status) },
  { title: "State", value: ({ state }) => state, style: ({ state }) => styleOfStatus(state) },
  { title: "Updated At", value: ({ updated_at }) => updated_at, text: ({ updated_at }) => formatTime(updated_at) },
  { title: "Disabled Reason", value: ({ disabled_reason }) => disabled_reason, isLong: true },
];

const SET_EXAMPLES = `
Examples:
  $ cinderless service set storage@file1 --disable --disable-reason "disk replacement until Friday"
  $ cinderless service set storage@file1 --enable
`;

type SetOptions = { disable?: boolean; enable?: boolean; disableReason?: string; disabledReason?: string };

/** As Cinder takes it: 1 to 255 characters. */
function parseReason(text: string): string {
  if (text.trim() === "") {
    throw new InvalidArgumentError("It must not be empty.");
  }
  return parseName(text);
}

/** `service list|set`: which backends the scheduler may choose. */
export function registerService(program: Command, context: CliContext): void {
  const service = program
    .command("service")
    .helpCommand(false)
    .summary("list backends as services, disable and enable them")
    .description("Backends as the services that run them.");
  addListOptions(
    service.command("list").summary("list the services").description("List the services: one for each backend."),
    COLUMNS,
  )
    .addHelpText("after", "\nExamples:\n  $ cinderless service list\n")
    .action(
      inSession(context, async (session, options: ListOptions) => {
        const rows = await servicesOf(session);
        await answerList(
          session,
          { key: "services", one: "service", many: "services", rows, columns: COLUMNS },
          options,
        );
      }),
    );
  service
    .command("set")
    .summary("disable or enable a service")
    .description("Disable a backend, so that no new volume goes there, or enable it. Its volumes are not affected.")
    .argument("<host>", "host@backend")
    .option("--disable", "place no new volume on it")
    .option("--enable", "give it volumes again")
    .option("--disable-reason <text>", "why it is disabled, for people; with --disable", parseReason)
    .addOption(new Option("--disabled-reason <text>").argParser(parseReason).hideHelp())
    .addHelpText("after", SET_EXAMPLES)
    .action(inSession(context, setService));
}

async function servicesOf(session: Session): Promise<Service[]> {
  const pools = await (await session.connection.backends()).list();
  const byHost = Map.groupBy(pools, ({ host }) => backendHost(host));
  const downSeconds = await session.connection.serviceDownSeconds();
  return [...byHost].map(([host, of]) => serviceOf(host, of, session.clock.now(), downSeconds));
}

/** It is up while one of its pools reports, and disabled when all of them are. */
function serviceOf(host: string, pools: readonly BackendRecord[], now: Date, downSeconds: number): Service {
  const isUp = pools.some((pool) => stateOfBackend({ ...pool, disabled: false }, now, downSeconds) === "up");
  return {
    host,
    zone: pools[0]?.availability_zone ?? "",
    status: pools.every(({ disabled }) => disabled) ? "disabled" : "enabled",
    state: isUp ? "up" : "down",
    updated_at:
      pools
        .map(({ reported_at }) => reported_at)
        .toSorted()
        .at(-1) ?? "",
    disabled_reason: pools.find(({ disabled_reason }) => disabled_reason !== undefined)?.disabled_reason ?? null,
  };
}

async function setService(session: Session, host: string, options: SetOptions): Promise<void> {
  const { disable = false, enable = false, disabledReason, disableReason = disabledReason ?? null } = options;
  if (disable === enable) {
    throw new UsageError("use either --disable or --enable");
  }
  if (disableReason !== null && !disable) {
    throw new UsageError("--disable-reason is for --disable");
  }
  const backends = await session.connection.backends();
  const pools = (await backends.list()).filter((pool) => pool.host === host || backendHost(pool.host) === host);
  if (pools.length === 0) {
    throw new CliError(`there is no service of host '${host}'`, {
      name: "ServiceNotFound",
      hint: "`cinderless service list` shows the hosts",
    });
  }
  for (const pool of pools) {
    await backends.setDisabled(pool.host, disable, disableReason);
  }
  const status = disable ? "disabled" : "enabled";
  const why = disableReason === null ? "" : `: ${disableReason}`;
  await session.answer({ host, status, disabled_reason: disableReason }, () => `service ${host} is ${status}${why}\n`);
}
