import type { Command } from "commander";
import { takeTypeName } from "../../core/api/types/names.ts";
import type { VolumeTypeChange } from "../../core/ports.ts";
import type { VolumeTypeRecord } from "../../core/records.ts";
import { CliError, UsageError } from "../errors.ts";
import { formatMap, formatTime, text } from "../format.ts";
import {
  addListOptions,
  addRecordOptions,
  allPages,
  answerList,
  answerRecord,
  type Column,
  type ListOptions,
  type RecordOptions,
} from "../listing.ts";
import { findType } from "../names.ts";
import { collectKeyValue, collectText, parseName, parseTypeName } from "../options.ts";
import { renderFields } from "../output.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { deleteEach } from "./delete.ts";

type CreateOptions = RecordOptions & { property?: Record<string, string>; description?: string };
type SetOptions = {
  name?: string;
  description?: string;
  property?: Record<string, string>;
  unsetProperty?: string[];
  public?: boolean;
  private?: boolean;
};

const PAGE_SIZE = 1000;

const COLUMNS: Column<VolumeTypeRecord>[] = [
  { title: "ID", value: ({ id }) => id, isKept: true },
  { title: "Name", value: ({ name }) => name },
  { title: "Is Public", value: ({ is_public }) => is_public },
  { title: "Properties", value: ({ extra_specs }) => extra_specs, text: ({ extra_specs }) => formatMap(extra_specs) },
  { title: "Description", value: ({ description }) => description, isLong: true },
  {
    title: "Created",
    value: ({ created_at }) => created_at,
    text: ({ created_at }) => formatTime(created_at),
    isLong: true,
  },
];

const CREATE_EXAMPLES = `
Examples:
  $ cinderless type create fast --property volume_backend_name=ssd
  $ cinderless type create thin --property "thin_provisioning_support=<is> True"
`;

const SET_EXAMPLES = `
Examples:
  $ cinderless type set fast --property volume_backend_name=nvme --unset-property thin
  $ cinderless type set fast --name faster --private
`;

/** `type create|list|show|set|delete`: volume types, which name sets of extra specs. */
export function registerType(program: Command, context: CliContext): void {
  const type = program
    .command("type")
    .helpCommand(false)
    .summary("create, list, show, change and delete volume types")
    .description("Volume types: named requirements for a backend.");
  registerCreate(type, context);
  addListOptions(type.command("list").summary("list volume types").description("List the volume types."), COLUMNS)
    .addHelpText("after", "\nExamples:\n  $ cinderless type list\n  $ cinderless type list --json\n")
    .action(inSession(context, listTypes));
  addRecordOptions(
    type
      .command("show")
      .summary("show a volume type")
      .description("Show a volume type with its extra specs.")
      .argument("<type>", "id or name of the type"),
  )
    .addHelpText("after", "\nExamples:\n  $ cinderless type show fast\n")
    .action(inSession(context, showType));
  registerSet(type, context);
  type
    .command("delete")
    .summary("delete volume types")
    .description("Delete volume types. A type in use is refused.")
    .argument("<types...>", "ids or names of the types")
    .addHelpText("after", "\nExamples:\n  $ cinderless type delete fast\n")
    .action(
      inSession(context, async (session, names: string[]) => {
        const types = new Map<string, VolumeTypeRecord>();
        for (const name of names) {
          const type = await findType(session, name);
          types.set(type.id, type);
        }
        await deleteEach(session, [...types.keys()], "volume type", (id) => deleteType(session, id, types.get(id)));
      }),
    );
}

function registerCreate(type: Command, context: CliContext): void {
  const command = type
    .command("create")
    .summary("create a volume type")
    .description(
      "Create a volume type. Its properties are the extra specs that the scheduler compares with the backends' capabilities.",
    )
    .argument("<name>", "name of the type", parseTypeName)
    .option("--property <key=value>", "extra spec; may be repeated", collectKeyValue)
    .option("--description <text>", "description to show", parseName);
  addRecordOptions(command).addHelpText("after", CREATE_EXAMPLES).action(inSession(context, createType));
}

function registerSet(type: Command, context: CliContext): void {
  type
    .command("set")
    .summary("change a volume type")
    .description("Change a volume type. Extra specs that are not named stay; existing volumes are not affected.")
    .argument("<type>", "id or name of the type")
    .option("--name <name>", "new name", parseTypeName)
    .option("--description <text>", "new description", parseName)
    .option("--property <key=value>", "extra spec to set; may be repeated", collectKeyValue)
    .option("--unset-property <key>", "extra spec to remove; may be repeated", collectText)
    .option("--public", "let every project use it")
    .option("--private", "let only projects with access use it")
    .addHelpText("after", SET_EXAMPLES)
    .action(inSession(context, setType));
}

async function createType(session: Session, name: string, options: CreateOptions): Promise<void> {
  const types = await session.connection.volumeTypes();
  const id = session.newId();
  await takeName(session, name, id);
  const record: VolumeTypeRecord = {
    id,
    name,
    extra_specs: options.property ?? {},
    description: options.description ?? null,
    is_public: true,
    created_at: session.clock.now().toISOString(),
  };
  await types.create(record);
  await answerRecord(
    session,
    { row: record, columns: COLUMNS, document: record },
    options,
    () => `volume type ${text(name)} is ${record.id}\n`,
  );
}

/** Takes the name as the Block Storage API does, so that two commands, or a command and the API, make one type of a name. */
async function takeName({ connection, clock }: Session, name: string, id: string): Promise<void> {
  const [volumeTypes, projects] = await Promise.all([connection.volumeTypes(), connection.projects()]);
  if (!(await takeTypeName({ volumeTypes, projects, clock }, name, id))) {
    throw new CliError(`there is a volume type ${text(name)} already`, {
      name: "VolumeTypeExists",
      hint: "`cinderless type list` shows the types",
    });
  }
}

async function releaseName({ connection }: Session, { id, name }: VolumeTypeRecord): Promise<void> {
  await (await connection.projects()).releaseName("volume_type", name, id);
}

async function listTypes(session: Session, options: ListOptions): Promise<void> {
  const types = await session.connection.volumeTypes();
  const found = await allPages((from) => types.list(PAGE_SIZE, from));
  const rows = found.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const listing = { key: "volume_types", one: "volume type", many: "volume types", rows, columns: COLUMNS };
  await answerList(session, listing, options);
}

async function showType(session: Session, nameOrId: string, options: RecordOptions): Promise<void> {
  const type = await findType(session, nameOrId);
  await answerRecord(session, { row: type, columns: COLUMNS, document: type }, options, () =>
    renderFields(session.stdout, [
      ["id", type.id],
      ["name", text(type.name)],
      ["public", type.is_public ? "yes" : "no"],
      ["description", text(type.description)],
      ["properties", formatMap(type.extra_specs)],
      ["created", formatTime(type.created_at)],
    ]),
  );
}

async function setType(session: Session, nameOrId: string, options: SetOptions): Promise<void> {
  const change = changeOf(options);
  if (Object.keys(change).length === 0) {
    throw new UsageError("there is nothing to change", "see cinderless type set --help");
  }
  const found = await findType(session, nameOrId);
  const isRenamed = change.name !== undefined && change.name !== found.name;
  if (isRenamed) {
    await takeName(session, change.name ?? "", found.id);
  }
  const type = await (await session.connection.volumeTypes()).change(found.id, change);
  if (isRenamed) {
    await releaseName(session, found);
  }
  await session.answer(type, () => `volume type ${text(type.name)} is changed\n`);
}

function changeOf(options: SetOptions): VolumeTypeChange {
  const { name, description, property, unsetProperty } = options;
  if (options.public === true && options.private === true) {
    throw new UsageError("--public and --private exclude each other");
  }
  const both = (unsetProperty ?? []).find((key) => Object.hasOwn(property ?? {}, key));
  if (both !== undefined) {
    throw new UsageError(`property '${both}' cannot be set and removed at once`);
  }
  const specs = {
    ...(property === undefined ? {} : { set: property }),
    ...(unsetProperty === undefined ? {} : { unset: [...new Set(unsetProperty)] }),
  };
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(options.public === undefined && options.private === undefined ? {} : { isPublic: options.public === true }),
    ...(Object.keys(specs).length === 0 ? {} : { extraSpecs: specs }),
  };
}

/** As in Cinder (VolumeTypeInUse). A create that named the type just before keeps the extra specs of its request. */
async function deleteType(session: Session, id: string, type: VolumeTypeRecord | undefined): Promise<"deleted"> {
  const { connection } = session;
  const volumes = await connection.volumes();
  const all = await allPages((from) => volumes.list({}, PAGE_SIZE, from));
  const users = all.filter(({ volume_type_id: typeId }) => typeId === id);
  const [first] = users;
  if (first !== undefined) {
    throw new CliError(`volume type ${id} is in use by ${users.length} volumes, first ${first.id}`, {
      name: "VolumeTypeInUse",
    });
  }
  await (await connection.volumeTypes()).delete(id);
  if (type !== undefined) {
    await releaseName(session, type);
  }
  return "deleted";
}
