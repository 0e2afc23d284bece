import type { Command } from "commander";
import { parseSize, parseUuid } from "../options.ts";
import { withSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless extend 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f 20
  $ cinderless extend 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f 20 --json
`;

/** `extend`: makes a volume larger. */
export function registerExtend(program: Command, context: CliContext): void {
  program
    .command("extend")
    .summary("make a volume larger")
    .description(
      "Make an available volume larger and wait until it is. When the backend has no room, the volume stays as it is; " +
        "when the backend fails, the volume is in error_extending and can be extended again.",
    )
    .argument("<volume>", "id of the volume")
    .argument("<GiB>", "new size in GiB, larger than the size that the volume has", parseSize)
    .addHelpText("after", EXAMPLES)
    .action((volumeId: string, size: number, _options: unknown, command: Command) =>
      withSession(context, command, (session) => extend(session, parseUuid("volume", volumeId), size)),
    );
}

async function extend(session: Session, volumeId: string, size: number): Promise<void> {
  const functions = await session.connection.driverFunctions();
  const request = { volume_id: volumeId, extension_id: session.newId(), new_size: size };
  const volume = await functions.extendVolume(request);
  await session.answer(volume, () => `volume ${volume.id} has ${volume.size} GiB\n`);
}
