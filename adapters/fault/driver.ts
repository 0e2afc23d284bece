import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as errors from "../../core/errors.ts";
import type { CopyWork, Driver, ImageSource, StoredContent, Work } from "../../core/ports.ts";
import type { SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import type { ImageLocation } from "../../core/spec.ts";
import type { Fault, FaultCall, FaultDriverOptions } from "./options.ts";

/** The longest that a timer waits; a caller has long given up. */
const FOREVER_MS = 2 ** 31 - 1;

/** For demonstrations and tests: a driver whose calls fail as its configuration orders, and else do what the wrapped one does. */
export class FaultDriver implements Driver {
  readonly #driver: Driver;
  readonly #faults: readonly Fault[];
  readonly #stateDirectory: string;

  constructor(driver: Driver, options: Pick<FaultDriverOptions, "faults" | "state_directory">) {
    this.#driver = driver;
    this.#faults = options.faults;
    this.#stateDirectory = options.state_directory;
  }

  initialized() {
    return this.#call("initialized", () => this.#driver.initialized());
  }

  createVolume(volume: VolumeRecord, work: Work) {
    return this.#call("createVolume", () => this.#driver.createVolume(volume, work));
  }

  createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work) {
    return this.#call("createVolumeFromSnapshot", () => this.#driver.createVolumeFromSnapshot(volume, snapshot, work));
  }

  createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work) {
    return this.#call("createClonedVolume", () => this.#driver.createClonedVolume(volume, source, work));
  }

  cloneImage(volume: VolumeRecord, location: ImageLocation, image: ImageSource, work: Work) {
    return this.#call("cloneImage", () => this.#driver.cloneImage(volume, location, image, work));
  }

  copyImageToVolume(volume: VolumeRecord, image: ImageSource, work: CopyWork) {
    return this.#call("copyImageToVolume", () => this.#driver.copyImageToVolume(volume, image, work));
  }

  deleteVolume(volumeId: string) {
    return this.#call("deleteVolume", () => this.#driver.deleteVolume(volumeId));
  }

  createSnapshot(snapshot: SnapshotRecord, volume: VolumeRecord) {
    return this.#call("createSnapshot", () => this.#driver.createSnapshot(snapshot, volume));
  }

  deleteSnapshot(snapshotId: string) {
    return this.#call("deleteSnapshot", () => this.#driver.deleteSnapshot(snapshotId));
  }

  findVolume(volumeId: string) {
    return this.#call("findVolume", () => this.#driver.findVolume(volumeId));
  }

  findSnapshot(snapshotId: string) {
    return this.#call("findSnapshot", () => this.#driver.findSnapshot(snapshotId));
  }

  async *listContents(): AsyncGenerator<StoredContent> {
    yield* await this.#call("listContents", async () => this.#driver.listContents());
  }

  getVolumeStats() {
    return this.#call("getVolumeStats", () => this.#driver.getVolumeStats());
  }

  async #call<Result>(call: FaultCall, run: () => Promise<Result>): Promise<Result> {
    const fault = await this.#due(call);
    if (fault === undefined) {
      return run();
    }
    if (fault.when === "after") {
      await run();
    }
    return strike(fault);
  }

  /** The first fault of the call that is not used up. */
  async #due(call: FaultCall): Promise<Fault | undefined> {
    for (const [index, fault] of this.#faults.entries()) {
      if (fault.call === call && (fault.times === "always" || (await this.#use(`${index}-${call}`, fault.times)))) {
        return fault;
      }
    }
    return undefined;
  }

  /** A file that only one call can make stands for each time. */
  async #use(name: string, times: number): Promise<boolean> {
    await mkdir(this.#stateDirectory, { recursive: true, mode: 0o700 });
    for (let time = 1; time <= times; time += 1) {
      try {
        await (await open(join(this.#stateDirectory, `${name}-${time}`), "wx", 0o600)).close();
        return true;
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
          throw error;
        }
      }
    }
    return false;
  }
}

async function strike(fault: Fault): Promise<never> {
  if (fault.error === "timeout") {
    await sleep(FOREVER_MS);
  }
  if (fault.error === "crash") {
    process.exit(1);
  }
  throw errorNamed(fault.error, fault.message);
}

/** An error of that name, of its class where it has one, with the message as it was ordered. */
function errorNamed(name: string, message: string): Error {
  if (!Object.hasOwn(errors.ERROR_ROUTES, name)) {
    return Object.defineProperty(new Error(message), "name", { value: name });
  }
  // The constructors differ in what they put into the message, and in nothing else.
  const error: Error = Reflect.construct(errors[name as errors.ErrorName], [message, message, message]);
  error.message = message;
  return error;
}
