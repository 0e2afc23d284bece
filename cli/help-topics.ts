/** Topics of `cinderless help TOPIC`: information for every command, one screen each. */

const TOPICS = {
  formats: `Forms of an answer

Without options an answer is formatted for people: a line, fields, or a table that fits the terminal (80 columns where there is none).
Cells that do not fit are cut; ids are cut last.

  -f json|yaml|value|csv|table   form of a list; records have no csv
  -c TITLE                       only this column; may be repeated, in upper or lower case
  --sort TITLE[:asc|desc],...    order of a list; volumes and snapshots come newest first
  --long                         all columns of a table
  --limit COUNT                  at most this many; the last line still shows the total
  --json                         one document with the whole records: {"volumes": [...], "total": 2}

-f value writes None for an empty value, and one field a line for a record. --json excludes -f and -c.

  $ cinderless list --status error -f value -c ID | xargs cinderless delete
  $ STATUS=$(cinderless show root -f value -c Status)`,

  "exit-status": `Exit status

  0    done
  1    failed: the error is one line on the error stream, or with --json one document {"error": {"name", "message", "hint"}}
  2    an invalid command line: no request was sent to the deployment
  130  Ctrl-C; the message says what continues without the command

A command for several things continues after a failure, and ends with 1 when one failed. \`audit\` ends with 1 when something is left
to do. \`create --wait\` ends with 1 when the volume is in error, and when --timeout has passed.
CINDERLESS_DEBUG=1 adds the stack of an error.`,

  names: `Names and ids

Commands accept a name wherever they accept the id of a volume, snapshot, volume type or image. Ids are matched first. An ambiguous
name is refused; the error lists all objects with their status, project and time. Use an id then.
Names of volumes and snapshots are matched in all projects.`,

  profiles: `Profiles

A profile names a deployment. Profiles are in a YAML file: the one that CINDERLESS_CONFIG names, else
\${XDG_CONFIG_HOME:-~/.config}/cinderless/config.yaml.

  profiles:
    staging:
      stack: Cinderless            # or outputs: FILE, relative to this file
      aws_profile: staging         # replaces the shell's credentials
      region: eu-west-1
      project: 6f70656e737461636b20342065766572
      user: 5bd1b5d5b9a04ad0a24cb6d8e3b5b5c5

  $ cinderless --profile staging list
  $ export CINDERLESS_PROFILE=staging

--outputs and --stack override the profile's deployment; --project and --user override its owner.`,

  environment: `Environment variables

  CINDERLESS_OUTPUTS    file of the deployment's outputs
  CINDERLESS_PROFILE    profile, when --profile names none
  CINDERLESS_CONFIG     file of the profiles
  CINDERLESS_DEBUG      1 shows the stack of an error
  AWS_PROFILE, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_...   as for every AWS SDK
  NO_COLOR, FORCE_COLOR  no colors, or colors without a terminal too; --no-color overrides both
  COLUMNS               width of tables without a terminal (80)`,

  retries: `Repeated creates

--client-token TOKEN makes \`create\` idempotent. The volume's id follows from its project and the token, so a repeated command
finds the volume of the first one, even after a lost answer. The same token with another request is refused
(IdempotentParameterMismatch). A token is valid as long as its volume exists.

\`retry VOLUME\` repeats the create of a volume in error. It keeps its id and its attempts. A volume that may exist on its backend is refused.
\`redrive ID\` sends a message again that the scheduler could not process.`,
} as const;

/** Names of the topics. */
export const TOPIC_NAMES = Object.keys(TOPICS) as (keyof typeof TOPICS)[];

/** A topic's text; undefined when there is none of that name. */
export function topicText(name: string): string | undefined {
  return Object.hasOwn(TOPICS, name) ? TOPICS[name as keyof typeof TOPICS] : undefined;
}
