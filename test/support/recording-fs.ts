import { basename, dirname } from "node:path";

/**
 * A layer over the file system that knows what a power cut would leave: it passes every call on, and keeps for each file which bytes are on
 * the disk, and for each directory which names are. A test mocks `node:fs` and `node:fs/promises` with it, and asks {@link
 * Recorder.undurable} at the moments that must not come too early. Bytes that were not durable before a file got its final name are
 * recorded in {@link Recorder.violations}.
 */

type FileState = { version: number; synced: number };

/** The names of finished volumes and snapshots, and of attempts that are over. */
const FINAL = /^(?:volume|snapshot)-[0-9a-f-]{36}(?:-a\d+)?$/;

export class Recorder {
  /** The operations in order, with the last parts of the paths. */
  readonly events: string[] = [];
  /** Files that got a final name, or progress that was saved, before their bytes were on the disk. */
  readonly violations: string[] = [];
  readonly #files = new Map<string, FileState>();
  readonly #newNames = new Map<string, Set<string>>();

  note(event: string): void {
    this.events.push(event);
  }

  changed(path: string, how: string): void {
    this.#file(path).version += 1;
    this.note(`${how} ${shortName(path)}`);
  }

  /** Begins a sync; the answer ends it. */
  syncing(path: string): () => void {
    const { version } = this.#file(path);
    return () => {
      const file = this.#file(path);
      file.synced = Math.max(file.synced, version);
      this.note(`sync ${shortName(path)}`);
    };
  }

  syncedDirectory(path: string): void {
    this.#newNames.delete(path);
    this.note(`sync ${basename(path)}/`);
  }

  named(path: string): void {
    const names = this.#newNames.get(dirname(path)) ?? new Set();
    this.#newNames.set(dirname(path), names.add(basename(path)));
  }

  /** A file gets another name, or one more. */
  moved(from: string, to: string, how: "rename" | "link"): void {
    const file = this.#files.get(from);
    if (file !== undefined) {
      if (FINAL.test(basename(to)) && file.version > file.synced) {
        this.violations.push(`${how} ${shortName(from)} ${shortName(to)}: its bytes are not on the disk`);
      }
      this.#files.set(to, file);
      if (how === "rename") {
        this.#files.delete(from);
      }
    }
    this.named(to);
    this.note(`${how} ${shortName(from)} ${shortName(to)}`);
  }

  /** The part of these that a power cut would lose: names in their directory, or bytes. */
  undurable(isMeant: (name: string) => boolean): string[] {
    const names = [...this.#newNames.values()].flatMap((all) => [...all].filter(isMeant).map((name) => `name ${name}`));
    const bytes = [...this.#files]
      .filter(([path, { version, synced }]) => isMeant(basename(path)) && version > synced)
      .map(([path]) => `bytes of ${shortName(path)}`);
    return [...names, ...bytes];
  }

  #file(path: string): FileState {
    const known = this.#files.get(path) ?? { version: 0, synced: 0 };
    this.#files.set(path, known);
    return known;
  }
}

/** The recorder of the test that runs, and whether the file system shares blocks between files. */
export const recording: { current: Recorder; sharesBlocks: boolean } = { current: new Recorder(), sharesBlocks: true };

/** Bytes that a reflink copies here, instead of all blocks: the sources of these tests are holes after them. */
const REFLINKED_BYTES = 4 * 2 ** 20;

function shortName(path: string): string {
  return basename(path).replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID");
}

type Promises = typeof import("node:fs/promises");
type Fs = typeof import("node:fs");

/** `node:fs/promises`, recorded. */
export function recordedPromises(real: Promises): Promises {
  const recorder = () => recording.current;
  const open: Promises["open"] = async (path, flags, mode) => {
    const isThere = await real.lstat(path).then(
      () => true,
      () => false,
    );
    const handle = await real.open(path, flags, mode);
    const name = String(path);
    if (!isThere) {
      recorder().named(name);
    }
    const call = {
      write: handle.write.bind(handle) as (...args: unknown[]) => Promise<unknown>,
      writeFile: handle.writeFile.bind(handle),
      truncate: handle.truncate.bind(handle),
      datasync: handle.datasync.bind(handle),
      sync: handle.sync.bind(handle),
    };
    return Object.assign(handle, {
      write: async (...args: unknown[]) => {
        const result = await call.write(...args);
        recorder().changed(name, "write");
        return result;
      },
      writeFile: async (...args: Parameters<typeof call.writeFile>) => {
        await call.writeFile(...args);
        recorder().changed(name, "write");
      },
      truncate: async (length: number) => {
        await call.truncate(length);
        recorder().changed(name, "truncate");
      },
      datasync: async () => {
        const done = recorder().syncing(name);
        await call.datasync();
        done();
      },
      sync: async () => {
        const done = recorder().syncing(name);
        await call.sync();
        done();
      },
    });
  };
  return {
    ...real,
    open,
    truncate: async (path, length) => {
      await real.truncate(path, length);
      recorder().changed(String(path), "truncate");
    },
    copyFile: async (from, to) => {
      if (!recording.sharesBlocks) {
        throw Object.assign(new Error("ENOTSUP: copyfile"), { code: "ENOTSUP", syscall: "copyfile" });
      }
      const source = await real.open(from, "r");
      const { buffer, bytesRead } = await source.read(Buffer.alloc(REFLINKED_BYTES), 0, REFLINKED_BYTES, 0);
      const { size } = await source.stat();
      await source.close();
      await real.writeFile(to, buffer.subarray(0, bytesRead), { flag: "wx", mode: 0o600 });
      await real.truncate(to, size);
      recorder().named(String(to));
      recorder().changed(String(to), "reflink");
    },
    rename: async (from, to) => {
      await real.rename(from, to);
      recorder().moved(String(from), String(to), "rename");
    },
    link: async (from, to) => {
      await real.link(from, to);
      recorder().moved(String(from), String(to), "link");
    },
    unlink: async (path) => {
      await real.unlink(path);
      recorder().named(String(path));
      recorder().note(`unlink ${shortName(String(path))}`);
    },
  };
}

/** `node:fs`, recorded. */
export function recordedFs(real: Fs): Fs {
  const recorder = () => recording.current;
  const paths = new Map<number, string>();
  const openSync: Fs["openSync"] = (path, flags, mode) => {
    const descriptor = real.openSync(path, flags, mode);
    paths.set(descriptor, String(path));
    return descriptor;
  };
  return {
    ...real,
    openSync,
    ftruncateSync: (descriptor, length) => {
      real.ftruncateSync(descriptor, length);
      recorder().changed(paths.get(descriptor) ?? "", "truncate");
    },
    fsyncSync: (descriptor) => {
      const path = paths.get(descriptor) ?? "";
      if (real.fstatSync(descriptor).isDirectory()) {
        real.fsyncSync(descriptor);
        recorder().syncedDirectory(path);
        return;
      }
      const done = recorder().syncing(path);
      real.fsyncSync(descriptor);
      done();
    },
  };
}
