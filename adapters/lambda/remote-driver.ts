import type { Driver } from "../../core/drivers/driver-ports.ts";
import type { DriverCall } from "../../core/drivers/driver-call.ts";
import type { VolumeRecord } from "../../core/records.ts";

/** Sends a call to the function that has the drivers. Throws: an error under the name of the driver's own. */
export type CallDriver = (request: DriverCall) => Promise<unknown>;

/**
 * A driver that another function has. It has the methods that clear a backend or end an extension; the others fail, because the functions
 * that use this driver never create anything.
 *
 * Repeated, late: each method is safe to repeat and may take effect late, as {@link Driver} says, so a lost answer needs nothing else.
 */
export class RemoteDriver implements Driver {
  readonly fencesAttempts: boolean;
  readonly #host: string;
  readonly #call: CallDriver;

  constructor(host: string, fencesAttempts: boolean, call: CallDriver) {
    this.#host = host;
    this.fencesAttempts = fencesAttempts;
    this.#call = call;
  }

  async initialized(): Promise<boolean> {
    return (await this.#call({ call: "initialized", host: this.#host })) === true;
  }

  async closeAttempt(volumeId: string, fence: string | null): Promise<void> {
    await this.#call({ call: "closeAttempt", host: this.#host, volume_id: volumeId, fence });
  }

  async deleteVolume(volumeId: string, fence: string | null): Promise<void> {
    await this.#call({ call: "deleteVolume", host: this.#host, volume_id: volumeId, fence });
  }

  /** Only the word "absent" means that nothing is there. */
  async findVolume(volumeId: string, fence: string | null): Promise<"present" | "absent"> {
    return presence(
      "findVolume",
      await this.#call({ call: "findVolume", host: this.#host, volume_id: volumeId, fence }),
    );
  }

  async closeSnapshot(snapshotId: string): Promise<void> {
    await this.#call({ call: "closeSnapshot", host: this.#host, snapshot_id: snapshotId });
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.#call({ call: "deleteSnapshot", host: this.#host, snapshot_id: snapshotId });
  }

  /** As {@link RemoteDriver.findVolume}. */
  async findSnapshot(snapshotId: string): Promise<"present" | "absent"> {
    const request = { call: "findSnapshot", host: this.#host, snapshot_id: snapshotId } as const;
    return presence("findSnapshot", await this.#call(request));
  }

  async extendVolume(volume: VolumeRecord, newSize: number): Promise<void> {
    await this.#call({ call: "extendVolume", host: this.#host, volume, new_size: newSize });
  }

  createVolume = this.#refuse("createVolume");
  createVolumeFromSnapshot = this.#refuse("createVolumeFromSnapshot");
  createClonedVolume = this.#refuse("createClonedVolume");
  cloneImage = this.#refuse("cloneImage");
  copyImageToVolume = this.#refuse("copyImageToVolume");
  createSnapshot = this.#refuse("createSnapshot");
  forgetClosedAttempts = this.#refuse("forgetClosedAttempts");
  getVolumeStats = this.#refuse("getVolumeStats");

  // oxlint-disable-next-line require-yield
  async *listContents(): AsyncGenerator<never> {
    await this.#refuse("listContents")();
  }

  #refuse(method: string): () => Promise<never> {
    return async () => {
      throw new Error(`${method} is not called from outside the network of the file system`);
    };
  }
}

function presence(call: string, answer: unknown): "present" | "absent" {
  if (answer !== "present" && answer !== "absent") {
    throw new Error(`CallDriver answered ${JSON.stringify(answer)} to ${call}`);
  }
  return answer;
}
