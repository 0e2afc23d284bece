import { isFlowStatus } from "../../core/records.ts";
import { captureImageMetadata } from "../../core/workflow/handle-bootable-volume.ts";
import type { Given } from "./cases.ts";
import { imageMetaOf } from "./image-meta.ts";
import { raisedName } from "./inject/errors.ts";
import type { CastOutcome, NotificationOutcome, Outcome, VolumeOutcome } from "./outcome.ts";

/**
 * The end of a case whose faults occur: the flow's three ends in full, so that a row of the list can state its expectation to the last
 * field. Only the driver's and the source's causes are known here; rows know the others.
 */

/** The driver's calls of an undisturbed create. */
export function createCalls(given: Given): string[] {
  const [, cloned] = given.driver.clone_image?.return ?? [null, false];
  switch (given.type) {
    case "raw":
      return ["create_volume"];
    case "snap":
      return ["create_volume_from_snapshot"];
    case "source_vol":
      return ["create_cloned_volume"];
    case "image":
      return cloned ? ["clone_image"] : ["clone_image", "create_volume", "copy_image_to_volume"];
    default:
      return given.type satisfies never;
  }
}

/**
 * The driver's calls up to the one during which the volume's row goes, and the error that is met then: the call's own, where it says
 * enough, or else that of the next write. Undefined when the row stays.
 */
export function runUntilRowIsGone(
  given: Given,
  isUncertain: (error: string) => boolean,
): { calls: string[]; error: string } | undefined {
  if (given.gone_after_spec === "volume") {
    return { calls: [], error: given.driver.initialized === false ? "DriverNotInitialized" : "VolumeNotFound" };
  }
  const { calls } = driverRun(given);
  const at = calls.findIndex((call) => hookOf(given, call) === "volume_deleted");
  if (at < 0) {
    return undefined;
  }
  const raise = given.driver[calls[at] as keyof Omit<Given["driver"], "initialized">]?.raise;
  const error = raise === undefined || isUncertain(raisedName(raise)) ? "VolumeNotFound" : raisedName(raise);
  return { calls: calls.slice(0, at + 1), error };
}

function hookOf(given: Given, call: string): string | undefined {
  return given.driver[call as keyof Omit<Given["driver"], "initialized">]?.hook;
}

/** The driver's calls up to the one that fails, and its error; without an error it is the undisturbed create. */
function driverRun(given: Given): { calls: string[]; error: string | null } {
  if (given.driver.initialized === false) {
    return { calls: [], error: "DriverNotInitialized" };
  }
  const calls: string[] = [];
  for (const call of createCalls(given)) {
    calls.push(call);
    const raise = given.driver[call as keyof Omit<Given["driver"], "initialized">]?.raise;
    if (raise !== undefined) {
      return { calls, error: raisedName(raise) };
    }
  }
  return { calls, error: null };
}

/** Whether the finished volume is bootable: from an image, or from a bootable source. */
function endsBootable(given: Given): boolean {
  return (
    given.type === "image" || (given.type !== "raw" && (given.src?.bootable ?? false)) || given.volume_row.bootable
  );
}

/** The driver's result to store. */
export function providerLocation(given: Given): string | null {
  const { driver } = given;
  const answers = {
    clone_image: driver.clone_image?.return?.[0],
    create_volume: driver.create_volume?.return,
    create_volume_from_snapshot: driver.create_volume_from_snapshot?.return,
    create_cloned_volume: driver.create_cloned_volume?.return,
  };
  const kept = createCalls(given).findLast((call) => call in answers);
  return answers[kept as keyof typeof answers]?.provider_location ?? null;
}

/** The image metadata of the finished volume. */
export function capturedMetadata(given: Given): Record<string, string> {
  if (given.type === "image") {
    return captureImageMetadata("IMG", imageMetaOf(given, "IMG"));
  }
  return endsBootable(given) ? (given.src?.glance_meta ?? {}) : given.preexisting_glance_meta;
}

const START = "volume.create.start";
const END = "volume.create.end";

function row(given: Given, columns: Partial<VolumeOutcome> = {}): VolumeOutcome {
  const { status, bootable, host, migration_status } = given.volume_row;
  return {
    status,
    bootable,
    host,
    launched_at_set: false,
    scheduled_at_set: false,
    provider_location: null,
    migration_status,
    ...columns,
  };
}

function startOf(given: Given): NotificationOutcome {
  const { status, host } = given.volume_row;
  const hasMetadata = Object.keys(given.preexisting_glance_meta).length > 0;
  return { event: START, payload_status: status, publisher_host: host, has_glance_metadata: hasMetadata };
}

function sourceStatus(given: Given, calls: readonly string[]): string | null {
  if (given.type !== "snap" && given.type !== "source_vol") {
    return null;
  }
  const hooks = calls.map((call) => hookOf(given, call));
  const gone = [given.gone, given.gone_after_spec];
  if (
    gone.some((row) => row === "source" || row === "origin") ||
    hooks.some((hook) => /^(source|origin)_d/.test(hook ?? ""))
  ) {
    return null;
  }
  return hooks.includes("source_status") ? "backing-up" : (given.src?.status ?? "available");
}

/** The volume is created. */
export function created(given: Given): Outcome {
  const status = given.volume_row.status === "migration_target_creating" ? "migration_target" : "available";
  const metadata = capturedMetadata(given);
  const { host } = given.volume_row;
  const end = { event: END, payload_status: status, publisher_host: host };
  return {
    volume: row(given, {
      status,
      bootable: endsBootable(given),
      launched_at_set: true,
      provider_location: providerLocation(given),
    }),
    source_status: sourceStatus(given, createCalls(given)),
    glance_metadata: metadata,
    notifications: [startOf(given), { ...end, has_glance_metadata: Object.keys(metadata).length > 0 }],
    casts: [],
    driver_calls: createCalls(given),
    error: null,
  };
}

/** The volume ends in `error` on its host, after these calls of the driver. */
export function erroredOut(given: Given, calls: string[], error: string): Outcome {
  return {
    volume: row(given, { status: "error" }),
    source_status: sourceStatus(given, calls),
    glance_metadata: given.preexisting_glance_meta,
    notifications: [startOf(given)],
    casts: [],
    driver_calls: calls,
    error,
  };
}

/** The request goes back to the scheduler, after these calls of the driver. */
export function rescheduled(given: Given, calls: string[], error: string): Outcome {
  const { status } = given.volume_row;
  const waiting = status === "migration_target_creating" ? status : "creating";
  return {
    volume: row(given, { status: waiting, host: null, scheduled_at_set: true, bootable: false }),
    source_status: sourceStatus(given, calls),
    glance_metadata: {},
    notifications: [startOf(given)],
    casts: [castOf(given, error, waiting)],
    // A backend that was not asked has nothing to be deleted.
    driver_calls: calls.length === 0 ? [] : [...calls, "delete_volume"],
    error,
  };
}

function castOf(given: Given, error: string, status: string): CastOutcome {
  const properties = given.none ? {} : (given.filter_properties ?? {});
  const { num_attempts, backends, hosts } = (properties["retry"] ?? {}) as Record<string, unknown>;
  return {
    volume: "VOL",
    image_id: given.type === "image" || given.also_image ? "IMG" : null,
    snapshot_id: given.type === "snap" ? "SNAP" : null,
    size: properties["size"],
    retry: { num_attempts, backends, hosts },
    exc_names: error,
    row_at_cast: { status, host: null, scheduled_at_set: true },
  };
}

/** Whether the request may go back to the scheduler: allowed, with a spec that is not empty and a retry that is not. */
export function mayGoBack(given: Given): boolean {
  const retry = given.none ? undefined : given.filter_properties?.["retry"];
  const isStarted = typeof retry === "object" && retry !== null && Object.keys(retry).length > 0;
  return given.allow_reschedule && !given.none && given.request_spec === "present" && isStarted;
}

/**
 * The end of the case when its writes and notifications succeed. Undefined if the end does not depend only on the driver (a missing source,
 * a refused image, a row that the flow does not own).
 */
export function undisturbed(given: Given, isReschedulable: (error: string) => boolean): Outcome | undefined {
  const { gone, origin_lookup_fails: isOriginUnreadable, spec_type: specType, image, volume_row: volume } = given;
  const isOther =
    gone !== undefined ||
    given.gone_after_spec !== undefined ||
    createCalls(given).some((call) => hookOf(given, call) === "volume_deleted") ||
    isOriginUnreadable ||
    specType !== undefined ||
    Object.keys(image.raise).length > 0 ||
    !isFlowStatus(volume.status);
  if (isOther) {
    return undefined;
  }
  const { calls, error } = driverRun(given);
  if (error === null) {
    return created(given);
  }
  const isWithoutVolume = !calls.includes("copy_image_to_volume");
  return isWithoutVolume && mayGoBack(given) && isReschedulable(error)
    ? rescheduled(given, calls, error)
    : erroredOut(given, calls, error);
}
