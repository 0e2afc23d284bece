// @ts-nocheck
import type { Command } from "commander";
import { describeError } from "../../core/errors.ts";
import type { VolumeTypeRecord } from "../../core/records.ts";
import { CliError } from "../errors.ts";
import { formatMap, text } from "../format.ts";
import { collectKeyValue, parseLimit, parseName, parseTypeName } from "../options.ts";
import { renderTable } from "../output.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { moreText } from "./list.ts";

type CreateOptions = { property?: Record<string, string>; description?: string };
type ListOptions = { limit: number; page?: string };

const CREATE_EXAMPLES = `
Examples:
  $ cinderless type create fast --property volume_backend_name=ssd
  $ cinderless type create thin --property "thin_provisioning_support=<is> True"
`;

/** `type create|list`: volume types, which are names for extra specs. */
export function registerType(program: Command, context: CliContext): void {
  const type = program
    .command("type")
    .helpCommand(false)
    .summary("create and list volume types")
    .description("Volume types: names for what a backend must be able to do.");
  type
    .command("create")
    .summary("create a volume type")
    .description(
      "Create a volume type. Its properties are the extra specs that the scheduler compares with the backends' capabilities.",
    )
    .argument("<name>", "name of the type", parseTypeName)
    .option("--property <key=value>", "extra spec; may be repeated", collectKeyValue)
    .option("--description <text>", "description to show", parseName)
    .addHelpText("after", CREATE_EXAMPLES)
    .action((name: string, options: CreateOptions, command: Command) =>
      withSession(context, command, (session) => createType(session, name, options)),
    );
  type
    .command("list")
    .summary("list volume types")
    .description("List the volume types.")
    .option("--limit <count>", "types a page", parseLimit, 100)
    .option("--page <token>", "go on with the page that an earlier listing named")
    .addHelpText("after", "\nExamples:\n  $ cinderless type list\n  $ cinderless type list --json\n")
    .action((options: ListOptions, command: Command) =>
      withSession(context, command, (session) => listTypes(session, options)),
    );
}

async function createType(session: Session, name: string, options: CreateOptions): Promise<void> {
  const types = await session.connection.volumeTypes();
  if (await exists(() => types.getByName(name))) {
    throw new CliError(`there is a volume type ${name} already`, {
      name: "VolumeTypeExists",
      hint: "`cinderless type list` shows the types",
    });
  }
  const record: VolumeTypeRecord = {
    id: session.newId(),
    name,
    extra_specs: options.property ?? {},
    description: options.description ?? null,
    is_public: true,
    created_at: session.clock.now().toISOString(),
  };
  await types.create(record);
  await session.answer(record, () => `volume type ${text(name)} is ${record.id}\n`);
}

async function exists(get: () => Promise<VolumeTypeRecord>): Promise<boolean> {
  try {
    await get();
    return true;
  } catch (error) {
    if (describeError(error).name === "VolumeTypeNotFoundByName") {
      return false;
    }
    throw error;
  }
}

async function listTypes(session: Session, { limit, page }: ListOptions): Promise<void> {
  const { items, next } = await (await session.connection.volumeTypes()).list(limit, page);
  await session.answer({ volume_types: items, next: next ?? null }, async () => {
    const rows = items.map((type) => [type.id, text(type.name), formatMap(type.extra_specs), text(type.description)]);
    const table =
      rows.length === 0
        ? "no volume types\n"
        : await renderTable(session.stdout, ["ID", "NAME", "PROPERTIES", "DESCRIPTION"], rows);
    return `${table}${moreText(next)}`;
  });
}
