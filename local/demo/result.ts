import { lstat, readdir } from "node:fs/promises";
import path from "node:path";
import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { parseEntry } from "../../adapters/file/paths.ts";
import type { SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import { compareWithSource, type Comparison } from "./compare.ts";
import type { Received } from "./notifications.ts";
import type { Outcome } from "./scenario.ts";
import type { Wish, WishName } from "./wishes.ts";

/** A file on a backend. */
export type StoredFile = {
  path: string;
  /** Bytes as `ls` shows them, and bytes on disk. */
  apparent_bytes: number;
  allocated_bytes: number;
};

/** A volume's bytes compared with those of its source. */
export type VolumeComparison = Comparison & { volume: WishName; source: string };

/** All findings of the demonstration, before they are judged. */
export type Result = {
  wishes: Record<WishName, Wish>;
  records: ReadonlyMap<string, VolumeRecord>;
  snapshot: SnapshotRecord | undefined;
  received: readonly Received[];
  transitions: { total: number; byVolume: ReadonlyMap<string, number> };
  files: readonly StoredFile[];
  comparisons: readonly VolumeComparison[];
  /** Problems during the run, in one line each. */
  problems: readonly string[];
};

/** States that each volume's executions entered. The total includes the retries, as Step Functions counts them. */
export function countTransitions(cloud: EmbeddedCloud, wishes: readonly Wish[]): Result["transitions"] {
  const byVolume = new Map<string, number>();
  for (const { name, executionArn } of cloud.executions.list()) {
    const wish = wishes.find(({ id }) => name.startsWith(id));
    const entered = cloud.executions.history(executionArn).filter(({ type }) => type.endsWith("StateEntered")).length;
    if (wish !== undefined) {
      byVolume.set(wish.id, (byVolume.get(wish.id) ?? 0) + entered);
    }
  }
  return { total: cloud.counters.stateTransitions, byVolume };
}

/** The object in a file on a backend, by the demonstration's own names; `?` when it was not requested. */
export function nameOfFile(
  file: string,
  wishes: Readonly<Record<string, Pick<Wish, "id" | "name">>>,
  snapshot: Pick<SnapshotRecord, "id"> | undefined,
): string {
  const entry = parseEntry(path.basename(file));
  if (entry?.kind === "snapshot") {
    return entry.id === snapshot?.id ? "snapshot" : "?";
  }
  return Object.values(wishes).find(({ id }) => id === entry?.id)?.name ?? "?";
}

/** Every file of volumes and snapshots, and of unfinished work, in the backends' directories, without the marks of ended attempts. */
export async function listFiles(backendsDirectory: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  const entries = await readdir(backendsDirectory, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const location = path.join(entry.parentPath, entry.name);
    const stats = await lstat(location);
    if (!stats.isDirectory() && !/\.faults$|[/\\]attempts$/.test(entry.parentPath)) {
      files.push({ path: location, apparent_bytes: stats.size, allocated_bytes: stats.blocks * 512 });
    }
  }
  return files.toSorted((one, other) => (one.path < other.path ? -1 : 1));
}

/** Compares each created volume with its source. */
export async function compareVolumes(
  wishes: Record<WishName, Wish>,
  { records, snapshot, imagePath }: Outcome,
): Promise<VolumeComparison[]> {
  const location = (name: WishName) => records.get(wishes[name].id)?.provider_location ?? undefined;
  const sources: [WishName, string, string | null | undefined][] = [
    ["raw", "zeros", null],
    ["bootable", path.basename(imagePath), imagePath],
    ["from-snapshot", "snapshot of bootable", snapshot?.provider_location],
    ["clone", "bootable", location("bootable")],
    ["second-try", "zeros", null],
  ];
  const compared = sources.map(async ([volume, source, sourcePath]) => {
    const volumePath = location(volume);
    return volumePath === undefined ||
      sourcePath === undefined ||
      records.get(wishes[volume].id)?.status !== "available"
      ? []
      : [{ volume, source, ...(await compareWithSource(volumePath, sourcePath)) }];
  });
  return (await Promise.all(compared)).flat();
}
