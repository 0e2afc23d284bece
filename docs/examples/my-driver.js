// A driver outside the tree of Cinderless, to begin from: volumes and snapshots are files in one directory.
// docs/writing-a-driver.md says what each method must do, and the contract suite tests it.
//
//   backends: [{ "host": "storage@mine", "module": "./my-driver.js", "options": { "directory": "/srv/volumes" } }]
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const GIB = 2 ** 30;
const DONE = { done: true, wait_seconds: 0, checkpoint: null };
const ENTRY = /^(volume|snapshot)-([0-9a-f-]{36})(\.partial)?$/;

/** An error of Cinder's by its name, which is what the workflow decides by. */
function failure(name, message) {
  return Object.assign(new Error(message), { name });
}

class MyDriver {
  /** This backend cannot refuse what comes late: docs/guarantees.md says what that means. */
  fencesAttempts = false;
  #directory;

  constructor(directory) {
    this.#directory = directory;
  }

  async initialized() {
    await mkdir(this.#directory, { recursive: true });
    return access(this.#directory, constants.W_OK).then(
      () => true,
      () => false,
    );
  }

  // Creates: by id, so that a repeated call finds what the first one made. A name appears when its content is whole.

  async createVolume(volume) {
    return this.#create("volume", volume.id, volume.size, async (partial) => {
      await (await open(partial, "w")).close();
    });
  }

  async createVolumeFromSnapshot(volume, snapshot) {
    return this.#create("volume", volume.id, volume.size, (partial) => this.#copy("snapshot", snapshot.id, partial));
  }

  async createClonedVolume(volume, source) {
    return this.#create("volume", volume.id, volume.size, (partial) => this.#copy("volume", source.id, partial));
  }

  async createSnapshot(snapshot, volume) {
    await this.#create("snapshot", snapshot.id, volume.size, (partial) => this.#copy("volume", volume.id, partial));
    return null;
  }

  async cloneImage() {
    return { ...DONE, model_update: null, cloned: false };
  }

  async copyImageToVolume(volume, { service, imageId }, work) {
    const file = await open(this.#path("volume", volume.id), "r+");
    try {
      const { body, totalSize, tag } = await service.openRange(imageId, 0);
      let written = 0;
      for await (const bytes of body) {
        await file.write(bytes, 0, bytes.length, written);
        written += bytes.length;
      }
      await file.sync();
      await work.save({ bytes_done: written, bytes_total: totalSize, image_tag: tag });
    } finally {
      await file.close();
    }
    return { done: true };
  }

  async extendVolume(volume, newSize) {
    const file = await open(this.#path("volume", volume.id), "r+").catch((error) => {
      throw failure("VolumeBackendAPIException", error.message);
    });
    try {
      if ((await file.stat()).size < newSize * GIB) {
        await file.truncate(newSize * GIB);
        await file.sync();
      }
    } finally {
      await file.close();
    }
  }

  async deleteVolume(volumeId) {
    await this.#remove("volume", volumeId);
  }

  async deleteSnapshot(snapshotId) {
    await this.#remove("snapshot", snapshotId);
  }

  async findVolume(volumeId) {
    return this.#find("volume", volumeId);
  }

  async findSnapshot(snapshotId) {
    return this.#find("snapshot", snapshotId);
  }

  async *listContents() {
    for (const name of await readdir(this.#directory)) {
      const [, kind, id, partial] = ENTRY.exec(name) ?? [];
      const stats =
        kind === undefined ? undefined : await stat(path.join(this.#directory, name)).catch(() => undefined);
      if (stats !== undefined) {
        const { size: size_bytes, mtime: modified_at } = stats;
        yield { kind, id, attempt: 1, partial: partial !== undefined, size_bytes, modified_at };
      }
    }
  }

  /** Reports are asked for before anything else. */
  async getVolumeStats() {
    if (!(await this.initialized())) {
      throw failure("DriverNotInitialized", `${this.#directory} cannot be written`);
    }
    const { blocks, bavail, bsize } = await statfs(this.#directory);
    return {
      total_capacity_gb: (blocks * bsize) / GIB,
      free_capacity_gb: (bavail * bsize) / GIB,
      thin_provisioning_support: true,
      thick_provisioning_support: false,
      capabilities: { vendor_name: "Me", storage_protocol: "file" },
    };
  }

  // Never called while fencesAttempts is false.
  async closeAttempt() {}
  async closeSnapshot() {}
  async forgetClosedAttempts() {}

  #path(kind, id) {
    return path.join(this.#directory, `${kind}-${id}`);
  }

  async #create(kind, id, sizeGib, fill) {
    const whole = this.#path(kind, id);
    if ((await stat(whole).catch(() => undefined)) === undefined) {
      const partial = `${whole}.partial`;
      await fill(partial);
      const file = await open(partial, "r+");
      await file.truncate(sizeGib * GIB);
      await file.sync();
      await file.close();
      await rename(partial, whole);
    }
    return { ...DONE, model_update: { provider_location: whole } };
  }

  /** With `cp`, because a copy by Node writes what is empty, too: a GiB for each GiB of a new volume. */
  async #copy(kind, id, partial) {
    const source = this.#path(kind, id);
    await run("cp", ["--sparse=always", "--reflink=auto", source, partial]).catch((error) => {
      throw failure("VolumeBackendAPIException", error.message);
    });
  }

  async #remove(kind, id) {
    await rm(this.#path(kind, id), { force: true });
    await rm(`${this.#path(kind, id)}.partial`, { force: true });
  }

  async #find(kind, id) {
    const names = await readdir(this.#directory);
    return names.some((name) => name.startsWith(`${kind}-${id}`)) ? "present" : "absent";
  }
}

/** Makes the driver of a backend from its options; what is thrown here is why the backend has none. */
export default function makeDriver(host, { directory, ...others }) {
  if (typeof directory !== "string" || Object.keys(others).length > 0) {
    throw new Error(`backend ${host}: the only option is directory, a path`);
  }
  return new MyDriver(directory);
}
