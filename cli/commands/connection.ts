import type { Command } from "commander";
import type { ConnectionInfo, VolumeRecord } from "../../core/records.ts";
import { CliError } from "../errors.ts";
import { addRecordOptions, answerRecord, type Column, type RecordOptions } from "../listing.ts";
import { findVolume } from "../names.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless connection root
  $ cinderless connection root --mount /srv/volumes
  $ cinderless connection root -f value -c Path
`;

type ConnectionOptions = RecordOptions & { mount: string };

/** The answer of `connection`. */
export type ConnectionRow = {
  volume_id: string;
  export: string;
  name: string;
  format: string;
  access_mode: string;
  /** Command that mounts the export; null where the export is a directory of this machine. */
  mount: string | null;
  /** The volume's file, once the export is mounted. */
  path: string;
  qemu: string;
};

const COLUMNS: Column<ConnectionRow>[] = [
  { title: "ID", value: ({ volume_id: id }) => id },
  { title: "Export", value: (row) => row.export },
  { title: "Name", value: ({ name }) => name },
  { title: "Format", value: ({ format }) => format },
  { title: "Access", value: ({ access_mode: mode }) => mode },
  { title: "Mount", value: ({ mount }) => mount },
  { title: "Path", value: ({ path }) => path },
  { title: "QEMU", value: ({ qemu }) => qemu },
];

/** `connection`: how a host reaches a volume. */
export function registerConnection(program: Command, context: CliContext): void {
  const command = program
    .command("connection")
    .summary("show how a host reaches a volume, with a command for QEMU")
    .description(
      "Show how a host reaches a volume: the path of its file, the command that mounts the file system where it is on another " +
        "machine, and a command that boots a virtual machine from it. It changes nothing; `cinderless attach` records who uses it.",
    )
    .argument("<volume>", "id or name of the volume")
    .option("--mount <directory>", "directory on the host for the mount", DEFAULT_MOUNT);
  addRecordOptions(command).addHelpText("after", EXAMPLES).action(inSession(context, showConnection));
}

async function showConnection(session: Session, nameOrId: string, options: ConnectionOptions): Promise<void> {
  const volume = await findVolume(session, nameOrId);
  const row = await connectionOf(session, volume, options.mount);
  await answerRecord(session, { row, columns: COLUMNS, document: row }, options, () => render(row));
}

/** Where hosts mount what a volume is on, unless they say otherwise. */
export const DEFAULT_MOUNT = "/mnt/cinderless";

/** How a host reaches the volume. @throws CliError when no host can, or not by a command; what the driver throws */
export async function connectionOf(
  { connection }: Pick<Session, "connection">,
  volume: VolumeRecord,
  mountPoint: string,
): Promise<ConnectionRow> {
  if (volume.host === null || volume.launched_at === null) {
    throw new CliError(`volume ${volume.id} is ${volume.status} and on no backend, so no host can reach it`);
  }
  const functions = await connection.driverFunctions();
  const info = await functions.initializeConnection(volume);
  return connectionRow(volume.id, info, mountPoint, await connection.consumersAccessPoint());
}

/**
 * The commands of a host for a driver's connection.
 *
 * @param accessPoint of the stack's file system, which is mounted through it and with TLS
 * @throws CliError for a connection of another kind than NFS
 */
export function connectionRow(
  volumeId: string,
  { driver_volume_type: kind, data }: ConnectionInfo,
  mountPoint: string,
  accessPoint: string | undefined,
): ConnectionRow {
  if (kind !== "nfs") {
    throw new CliError(`volume ${volumeId} is reached by ${kind}, for which there is no command here`, {
      hint: "--json of the Block Storage API's os-initialize_connection has the driver's answer",
    });
  }
  const text = (name: string): string => {
    const value = data[name];
    return typeof value === "string" ? value : "";
  };
  const [address, name] = [text("export"), text("name")];
  const local = /^localhost:(\/.*)$/.exec(address)?.[1];
  const path = `${local ?? mountPoint}/${name}`;
  const options = text("options") === "" ? "" : ` ${text("options")}`;
  return {
    volume_id: volumeId,
    export: address,
    name,
    format: text("format"),
    access_mode: text("access_mode"),
    mount: local === undefined ? mountCommand(address, mountPoint, options, accessPoint) : null,
    path,
    qemu: qemuCommand(path, text("format"), text("access_mode") === "ro"),
  };
}

function mountCommand(address: string, mountPoint: string, options: string, accessPoint: string | undefined): string {
  const fileSystem = /^(fs-[0-9a-f]+)\.efs\..*:(\/.*)$/.exec(address);
  const [, id, directory] = fileSystem ?? [];
  const make = `sudo mkdir -p ${quoted(mountPoint)}`;
  return id === undefined || accessPoint === undefined
    ? `${make} && sudo mount -t nfs${options} ${quoted(address)} ${quoted(mountPoint)}`
    : `${make} && sudo mount -t efs -o tls,accesspoint=${accessPoint} ${id}:${directory} ${quoted(mountPoint)}`;
}

function qemuCommand(path: string, format: string, isReadOnly: boolean): string {
  const drive = `file=${path.replaceAll(",", ",,")},format=${format},if=virtio${isReadOnly ? ",readonly=on" : ""}`;
  return `qemu-system-x86_64 -m 512 -nographic -drive ${quoted(drive)}`;
}

/** A word of a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function render({ mount, path, qemu }: ConnectionRow): string {
  return [...(mount === null ? [] : ["# on the host:", mount, ""]), `# the volume's file: ${path}`, qemu, ""].join(
    "\n",
  );
}
