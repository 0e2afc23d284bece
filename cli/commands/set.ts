import type { Command } from "commander";
import { changeVolumeDetails } from "../../core/requests/create-request.ts";
import type { MapChange, VolumeDetails } from "../../core/ports.ts";
import { UsageError } from "../errors.ts";
import { findVolume } from "../names.ts";
import { collectKeyValue, collectText, parseName } from "../options.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const SET_EXAMPLES = `
Examples:
  $ cinderless set scratch --name data --property tier=gold
  $ cinderless set 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f --description "of the database" --bootable
`;

const UNSET_EXAMPLES = `
Examples:
  $ cinderless unset scratch --property tier --description
`;

type SetOptions = {
  name?: string;
  description?: string;
  property?: Record<string, string>;
  /** commander's name of \`--non-bootable\`. */
  nonBootable?: boolean;
  bootable?: boolean;
};

/** `set` and `unset`: a volume's fields that users may change. */
export function registerSet(program: Command, context: CliContext): void {
  program
    .command("set")
    .summary("change a volume's name, description, properties or bootable flag")
    .description(
      "Change a volume's name, description, properties or bootable flag. Properties that are not named stay.",
    )
    .argument("<volume>", "id or name of the volume")
    .option("--name <name>", "new name", parseName)
    .option("--description <text>", "new description", parseName)
    .option("--property <key=value>", "property to set; may be repeated", collectKeyValue)
    .option("--bootable", "mark the volume as bootable")
    .option("--non-bootable", "mark the volume as not bootable")
    .addHelpText("after", SET_EXAMPLES)
    .action(
      inSession(context, (session, nameOrId: string, options: SetOptions) =>
        change(session, nameOrId, changeOf(options)),
      ),
    );
  program
    .command("unset")
    .summary("remove a volume's properties, name or description")
    .description("Remove properties, the name or the description of a volume.")
    .argument("<volume>", "id or name of the volume")
    .option("--property <key>", "property to remove; may be repeated", collectText)
    .option("--name", "remove the name")
    .option("--description", "remove the description")
    .addHelpText("after", UNSET_EXAMPLES)
    .action(
      inSession(context, (session, nameOrId: string, options: UnsetOptions) =>
        change(session, nameOrId, removalOf(options)),
      ),
    );
}

type UnsetOptions = { property?: string[]; name?: boolean; description?: boolean };

function changeOf({ name, description, property, bootable, nonBootable }: SetOptions): VolumeDetails {
  if (bootable === true && nonBootable === true) {
    throw new UsageError("--bootable and --non-bootable exclude each other");
  }
  return {
    ...(name === undefined ? {} : { displayName: name }),
    ...(description === undefined ? {} : { displayDescription: description }),
    ...(bootable === undefined && nonBootable === undefined ? {} : { bootable: bootable === true }),
    ...(property === undefined ? {} : { metadata: { set: property } satisfies MapChange }),
  };
}

function removalOf({ name, description, property }: UnsetOptions): VolumeDetails {
  return {
    ...(name === true ? { displayName: null } : {}),
    ...(description === true ? { displayDescription: null } : {}),
    ...(property === undefined ? {} : { metadata: { unset: [...new Set(property)] } satisfies MapChange }),
  };
}

async function change(session: Session, nameOrId: string, details: VolumeDetails): Promise<void> {
  if (Object.keys(details).length === 0) {
    throw new UsageError("there is nothing to change", "see the options of this command with --help");
  }
  const found = await findVolume(session, nameOrId);
  const [volumes, projects] = await Promise.all([session.connection.volumes(), session.connection.projects()]);
  const volume = await changeVolumeDetails({ volumes, projects }, found, details);
  await session.answer(volume, () => `volume ${found.id} is changed\n`);
}
