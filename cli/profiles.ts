import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import * as v from "valibot";
import { CliError, readTextFile } from "./errors.ts";

/** Named deployments in a file, like OpenStack's `clouds.yaml` and `~/.aws/config`. */

const ProfileSchema = v.strictObject({
  /** File of the deployment's outputs; relative to the file of profiles. */
  outputs: v.optional(v.string()),
  stack: v.optional(v.string()),
  /** Profile of the AWS configuration whose credentials are used. */
  aws_profile: v.optional(v.string()),
  region: v.optional(v.string()),
  /** Owner of created objects, when the command line names none. */
  project: v.optional(v.string()),
  user: v.optional(v.string()),
});

/** One deployment with a person's settings for it. */
export type Profile = v.InferOutput<typeof ProfileSchema>;

const FORM = "profiles: {NAME: {outputs, stack, aws_profile, region, project, user}}";

/** File of the profiles: CINDERLESS_CONFIG, else `cinderless/config.yaml` in the user's configuration directory (XDG). */
export function profilesFile(environment: Readonly<Record<string, string | undefined>>): string {
  const { CINDERLESS_CONFIG: named, XDG_CONFIG_HOME: xdg, HOME: home } = environment;
  return named || join(xdg || join(home || homedir(), ".config"), "cinderless", "config.yaml");
}

/**
 * The profile that the command line or CINDERLESS_PROFILE names; without a name there is no profile, and no file is read.
 *
 * @throws CliError that names the file and the problem
 */
export async function readProfile(
  name: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Profile> {
  const wanted = name ?? (environment["CINDERLESS_PROFILE"] || undefined);
  if (wanted === undefined) {
    return {};
  }
  const file = profilesFile(environment);
  const hint = `it has the form ${FORM}; \`cinderless help profiles\` prints more`;
  const { parse } = await import("yaml");
  let document: unknown;
  try {
    document = parse(await readTextFile(file));
  } catch (error) {
    throw error instanceof CliError
      ? new CliError(`profile '${wanted}' needs the file of profiles: ${error.message}`, { hint, cause: error })
      : new CliError(`${file} is not valid YAML: ${firstLine(error)}`, { hint });
  }
  const read = v.safeParse(v.object({ profiles: v.record(v.string(), v.unknown()) }), document);
  if (!read.success) {
    throw new CliError(`${file} has no profiles`, { hint });
  }
  const { profiles } = read.output;
  if (!Object.hasOwn(profiles, wanted)) {
    throw new CliError(`${file} has no profile '${wanted}'`, {
      hint: `it has ${Object.keys(profiles).join(", ") || "none"}`,
    });
  }
  const profile = v.safeParse(ProfileSchema, profiles[wanted] ?? {});
  if (!profile.success) {
    const issues = profile.issues.map((issue) => `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
    throw new CliError(`${file}: profile '${wanted}' is wrong: ${issues.join("; ")}`, { hint });
  }
  const { outputs, ...others } = profile.output;
  return { ...others, ...(outputs === undefined ? {} : { outputs: pathFrom(file, outputs, environment) }) };
}

function pathFrom(file: string, path: string, environment: Readonly<Record<string, string | undefined>>): string {
  const expanded = path.startsWith("~/") ? join(environment["HOME"] || homedir(), path.slice(2)) : path;
  return isAbsolute(expanded) ? expanded : resolve(dirname(file), expanded);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
