import type { Command } from "commander";
import { addRecordOptions, answerRecord, type RecordOptions } from "../listing.ts";
import { findVolume } from "../names.ts";
import { parseSize } from "../options.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { volumeColumns } from "../volume-columns.ts";

const EXAMPLES = `
Examples:
  $ cinderless extend root 20
  $ cinderless extend 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f 20 --json
`;

/** `extend`: makes a volume larger. */
export function registerExtend(program: Command, context: CliContext): void {
  const command = program
    .command("extend")
    .summary("make a volume larger")
    .description(
      "Make an available volume larger and wait until it is. When the backend has no room, the volume stays as it is; " +
        "when the backend fails, the volume is in error_extending and can be extended again.",
    )
    .argument("<volume>", "id or name of the volume")
    .argument("<GiB>", "new size in GiB, larger than the present size", parseSize);
  addRecordOptions(command).addHelpText("after", EXAMPLES).action(inSession(context, extend));
}

async function extend(session: Session, nameOrId: string, size: number, options: RecordOptions): Promise<void> {
  const { id } = await findVolume(session, nameOrId);
  const functions = await session.connection.driverFunctions();
  const request = { volume_id: id, extension_id: session.newId(), new_size: size };
  const volume = await functions.extendVolume(request);
  const columns = volumeColumns(() => undefined);
  await answerRecord(session, { row: volume, columns, document: volume }, options, () => {
    return `volume ${volume.id} has ${volume.size} GiB\n`;
  });
}
