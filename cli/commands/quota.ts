import { type Command, InvalidArgumentError } from "commander";
import {
  DEFAULT_CLASS,
  DEFAULT_LIMITS,
  effectiveLimits,
  quotaOf,
  shownResource,
} from "../../core/api/quotas/limits.ts";
import { DEFAULT_PROJECT_ID } from "../../core/requests/create-request.ts";
import { UNLIMITED } from "../../core/projects.ts";
import { UsageError } from "../errors.ts";
import { addListOptions, allPages, answerList, type Column, type ListOptions } from "../listing.ts";
import { findType } from "../names.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

/** One resource of a quota; -1 means no limit. */
type QuotaRow = { resource: string; limit: number; used: number };

const COLUMNS: Column<QuotaRow>[] = [
  { title: "Resource", value: ({ resource }) => resource, isKept: true },
  {
    title: "Limit",
    value: ({ limit }) => limit,
    text: ({ limit }) => (limit === UNLIMITED ? "unlimited" : String(limit)),
    isRightAligned: true,
  },
  { title: "In Use", value: ({ used }) => used, isRightAligned: true },
];

type SetOptions = {
  default?: boolean;
  type?: string;
  volumes?: number;
  gigabytes?: number;
  snapshots?: number;
  perVolumeGigabytes?: number;
};

const SET_EXAMPLES = `
Examples:
  $ cinderless quota set 6f70656e737461636b --volumes 50 --gigabytes 5000
  $ cinderless quota set 6f70656e737461636b --type fast --volumes 5
  $ cinderless quota set --default --snapshots -1
`;

/** `quota show|set`: a project's usage and limits. Only requests of the Block Storage API count. */
export function registerQuota(program: Command, context: CliContext): void {
  const quota = program
    .command("quota")
    .helpCommand(false)
    .summary("show and change quotas of projects")
    .description("Quotas of projects. Only requests of the Block Storage API count.");
  const show = quota
    .command("show")
    .summary("show a project's limits and usage")
    .description("Show a project's limits and its usage.")
    .argument("[project]", `id of the project (default: the profile's, else ${DEFAULT_PROJECT_ID})`)
    .option("--default", "the limits of projects that have none of their own");
  addListOptions(show, COLUMNS)
    .addHelpText("after", "\nExamples:\n  $ cinderless quota show 6f70656e737461636b\n")
    .action(
      inSession(context, (session, project: string | undefined, options: ListOptions & { default?: boolean }) =>
        showQuota(session, projectOf(session, project, options), options),
      ),
    );
  quota
    .command("set")
    .summary("change a project's limits")
    .description("Change limits of a project; -1 means no limit. Present volumes are not affected.")
    .argument("[project]", `id of the project (default: the profile's, else ${DEFAULT_PROJECT_ID})`)
    .option("--default", "the limits of projects that have none of their own")
    .option("--type <name|id>", "limits for volumes of this type")
    .option("--volumes <count>", "volumes", parseQuota)
    .option("--gigabytes <GiB>", "size of volumes and snapshots in all", parseQuota)
    .option("--snapshots <count>", "snapshots", parseQuota)
    .option("--per-volume-gigabytes <GiB>", "size of one volume", parseQuota)
    .addHelpText("after", SET_EXAMPLES)
    .action(
      inSession(context, (session, project: string | undefined, options: SetOptions) =>
        setQuota(session, projectOf(session, project, options), options),
      ),
    );
}

function projectOf(session: Session, project: string | undefined, options: { default?: boolean }): string {
  if (options.default === true && project !== undefined) {
    throw new UsageError("name a project, or use --default");
  }
  return options.default === true ? DEFAULT_CLASS : (project ?? session.defaults.project ?? DEFAULT_PROJECT_ID);
}

function parseQuota(text: string): number {
  const limit = Number(text);
  if (!/^(-1|[0-9]+)$/.test(text) || limit > 0x7f_ff_ff_ff) {
    throw new InvalidArgumentError("It must be a whole number, or -1 for no limit.");
  }
  return limit;
}

async function showQuota(session: Session, projectId: string, options: ListOptions): Promise<void> {
  const { quota, limits } = await quotaOf(await session.connection.projects(), projectId);
  const keys = [...new Set([...Object.keys(DEFAULT_LIMITS), ...Object.keys(quota.used), ...Object.keys(limits)])];
  const repository = await session.connection.volumeTypes();
  const hasTypes = keys.some((key) => !Object.hasOwn(DEFAULT_LIMITS, key));
  const types = hasTypes ? await allPages((from) => repository.list(1000, from)) : [];
  const rows = keys.map((key) => ({
    resource: shownResource(key, types.find(({ id }) => key.endsWith(`_${id}`)) ?? null),
    limit: limits[key] ?? UNLIMITED,
    used: quota.used[key] ?? 0,
  }));
  await answerList(session, { key: "quota", one: "resource", many: "resources", rows, columns: COLUMNS }, options);
}

async function setQuota(session: Session, projectId: string, options: SetOptions): Promise<void> {
  const { volumes, gigabytes, snapshots, perVolumeGigabytes } = options;
  if (options.type !== undefined && perVolumeGigabytes !== undefined) {
    throw new UsageError("--per-volume-gigabytes is not a limit of a type");
  }
  const suffix = options.type === undefined ? "" : `_${(await findType(session, options.type)).id}`;
  const asked = { volumes, gigabytes, snapshots };
  const limits: Record<string, number> =
    perVolumeGigabytes === undefined ? {} : { per_volume_gigabytes: perVolumeGigabytes };
  for (const [resource, limit] of Object.entries(asked)) {
    if (limit !== undefined) {
      limits[`${resource}${suffix}`] = limit;
    }
  }
  if (Object.keys(limits).length === 0) {
    throw new UsageError("there is nothing to change", "see cinderless quota set --help");
  }
  const projects = await session.connection.projects();
  const quota = await projects.setLimits(projectId, limits);
  const holds = effectiveLimits(quota, await projects.quota(DEFAULT_CLASS));
  await session.answer({ project_id: projectId, limits: holds }, () => `the quota of ${projectId} is changed\n`);
}
