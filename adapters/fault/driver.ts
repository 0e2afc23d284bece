import { access, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as errors from "../../core/errors.ts";
import type { CopyWork, Driver, ImageSource, StoredContent, Work } from "../../core/drivers/driver-ports.ts";
import type { SnapshotRecord, VolumeRecord } from "../../core/records.ts";
import type { ImageLocation } from "../../core/spec.ts";
import type { Fault, FaultCall, FaultDriverOptions, RandomFaultKind, RandomFaults } from "./options.ts";
import { drawFault, drawName, type RandomFault } from "./random-faults.ts";

/** Longest wait of a timer; the caller has timed out long before. */
const FOREVER_MS = 2 ** 31 - 1;

/** How often a call that is held by a file looks whether the file is gone. */
const LOOK_MS = 200;

/** For demonstrations and tests: a driver whose calls fail as configured, and otherwise call the wrapped driver. */
export class FaultDriver implements Driver {
  readonly #driver: Driver;
  readonly #faults: readonly Fault[];
  readonly #random: RandomFaults | undefined;
  readonly #stateDirectory: string;
  readonly #hangFile: string | undefined;

  constructor(
    driver: Driver,
    options: Pick<FaultDriverOptions, "faults" | "random" | "state_directory" | "hang_file">,
  ) {
    this.#driver = driver;
    this.#faults = options.faults;
    this.#random = options.random;
    this.#stateDirectory = options.state_directory;
    this.#hangFile = options.hang_file;
  }

  initialized() {
    return this.#call("initialized", null, () => this.#driver.initialized());
  }

  createVolume(volume: VolumeRecord, work: Work) {
    return this.#call("createVolume", volume.id, () => this.#driver.createVolume(volume, work));
  }

  createVolumeFromSnapshot(volume: VolumeRecord, snapshot: SnapshotRecord, work: Work) {
    return this.#call("createVolumeFromSnapshot", volume.id, () =>
      this.#driver.createVolumeFromSnapshot(volume, snapshot, work),
    );
  }

  createClonedVolume(volume: VolumeRecord, source: VolumeRecord, work: Work) {
    return this.#call("createClonedVolume", volume.id, () => this.#driver.createClonedVolume(volume, source, work));
  }

  cloneImage(volume: VolumeRecord, location: ImageLocation, image: ImageSource, work: Work) {
    return this.#call("cloneImage", volume.id, () => this.#driver.cloneImage(volume, location, image, work));
  }

  copyImageToVolume(volume: VolumeRecord, image: ImageSource, work: CopyWork) {
    return this.#call("copyImageToVolume", volume.id, () => this.#driver.copyImageToVolume(volume, image, work));
  }

  get fencesAttempts(): boolean {
    return this.#driver.fencesAttempts;
  }

  closeAttempt(volumeId: string, fence: string | null = null) {
    return this.#call("closeAttempt", volumeId, () => this.#driver.closeAttempt(volumeId, fence));
  }

  closeSnapshot(snapshotId: string) {
    return this.#call("closeSnapshot", snapshotId, () => this.#driver.closeSnapshot(snapshotId));
  }

  forgetClosedAttempts(closedBefore: Date) {
    return this.#call("forgetClosedAttempts", null, () => this.#driver.forgetClosedAttempts(closedBefore));
  }

  deleteVolume(volumeId: string, fence: string | null = null) {
    return this.#call("deleteVolume", volumeId, () => this.#driver.deleteVolume(volumeId, fence));
  }

  extendVolume(volume: VolumeRecord, newSize: number) {
    return this.#call("extendVolume", volume.id, () => this.#driver.extendVolume(volume, newSize));
  }

  initializeConnection(volume: VolumeRecord, connector: Readonly<Record<string, unknown>>) {
    return this.#call("initializeConnection", volume.id, async () => {
      if (this.#driver.initializeConnection === undefined) {
        throw new errors.InvalidInput("the driver has no connections for hosts");
      }
      return this.#driver.initializeConnection(volume, connector);
    });
  }

  createSnapshot(snapshot: SnapshotRecord, volume: VolumeRecord) {
    return this.#call("createSnapshot", snapshot.id, () => this.#driver.createSnapshot(snapshot, volume));
  }

  deleteSnapshot(snapshotId: string) {
    return this.#call("deleteSnapshot", snapshotId, () => this.#driver.deleteSnapshot(snapshotId));
  }

  findVolume(volumeId: string, fence: string | null = null) {
    return this.#call("findVolume", volumeId, () => this.#driver.findVolume(volumeId, fence));
  }

  findSnapshot(snapshotId: string) {
    return this.#call("findSnapshot", snapshotId, () => this.#driver.findSnapshot(snapshotId));
  }

  async *listContents(): AsyncGenerator<StoredContent> {
    yield* await this.#call("listContents", null, async () => this.#driver.listContents());
  }

  getVolumeStats() {
    return this.#call("getVolumeStats", null, () => this.#driver.getVolumeStats());
  }

  async #call<Result>(call: FaultCall, subject: string | null, run: () => Promise<Result>): Promise<Result> {
    if (await isThere(this.#hangFile)) {
      // Ends when the backend answers again, so that the call does not hold a place among those that were given up.
      await whileThere(this.#hangFile);
      throw new errors.VolumeBackendAPIException("the backend was restarted, and does not know the call any more");
    }
    const fault = await this.#due(call);
    if (fault === undefined) {
      return this.#atRandom(call, subject, run);
    }
    const done = fault.when === "after" ? { result: await run() } : undefined;
    await whileThere(fault.hold_file);
    if (fault.error !== "none") {
      return strike(fault);
    }
    return done === undefined ? run() : done.result;
  }

  async #atRandom<Result>(call: FaultCall, subject: string | null, run: () => Promise<Result>): Promise<Result> {
    const fault =
      subject === null || this.#random === undefined ? undefined : await this.#draw(call, subject, this.#random);
    if (fault?.kind === "slow") {
      await sleep(fault.delayMs);
    }
    if (fault === undefined || fault.kind === "slow") {
      return run();
    }
    if (fault.kind === "late") {
      // In this process: a function that has answered is not stopped while its process serves others.
      setTimeout(() => void run().catch(() => {}), fault.delayMs);
    }
    const [error, when] = RANDOM_STRIKES[fault.kind];
    if (when === "after") {
      await run();
    }
    return strike({ call, error, message: "made to fail at random", times: 1, when });
  }

  /** Draws for the first time of the call that no process has drawn for. */
  async #draw(call: FaultCall, subject: string, options: RandomFaults): Promise<RandomFault | undefined> {
    for (let time = 1; ; time += 1) {
      const fault = drawFault(options, call, subject, time);
      if (await this.#take(drawName(call, subject, time, fault?.kind ?? "none"))) {
        return fault;
      }
    }
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

  async #use(name: string, times: number): Promise<boolean> {
    for (let time = 1; time <= times; time += 1) {
      if (await this.#take(`${name}-${time}`)) {
        return true;
      }
    }
    return false;
  }

  /** Creates a file that only one call can create, and that outlives the process: it counts one fault. */
  async #take(name: string): Promise<boolean> {
    await mkdir(this.#stateDirectory, { recursive: true, mode: 0o700 });
    try {
      await (await open(join(this.#stateDirectory, name), "wx", 0o600)).close();
      return true;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
        throw error;
      }
      return false;
    }
  }
}

/** The error of a random fault, and whether the work is done before it. */
const RANDOM_STRIKES: Readonly<Record<Exclude<RandomFaultKind, "slow">, readonly [string, Fault["when"]]>> = {
  refused: ["VolumeBackendAPIException", "before"],
  lost_answer: ["ConnectionLost", "after"],
  late: ["ConnectionLost", "before"],
  done_then_refused: ["VolumeBackendAPIException", "after"],
  hang: ["timeout", "before"],
  done_then_hang: ["timeout", "after"],
  crash: ["crash", "before"],
  done_then_crash: ["crash", "after"],
};

/** Resolves when there is no such file. */
async function whileThere(file: string | undefined): Promise<void> {
  while (await isThere(file)) {
    await sleep(LOOK_MS);
  }
}

async function isThere(file: string | undefined): Promise<boolean> {
  return (
    file !== undefined &&
    access(file).then(
      () => true,
      () => false,
    )
  );
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

/** An error of that name, of its class if it has one, with the configured message. */
function errorNamed(name: string, message: string): Error {
  if (!Object.hasOwn(errors.ERROR_ROUTES, name)) {
    return Object.defineProperty(new Error(message), "name", { value: name });
  }
  // The constructors differ only in their messages.
  const error: Error = Reflect.construct(errors[name as errors.ErrorName], [message, message, message]);
  error.message = message;
  return error;
}
