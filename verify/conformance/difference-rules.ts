import { routeOf } from "../../core/errors.ts";
import type { Given, WriteFault } from "./cases.ts";
import { imageMetaOf } from "./image-meta.ts";
import { raisedName } from "./inject/errors.ts";
import { created, createCalls, erroredOut, mayGoBack, providerLocation, rescheduled, undisturbed } from "./model.ts";
import type { Outcome, VolumeOutcome } from "./outcome.ts";
import { asRepeated, RETRIES, without } from "./repeats.ts";

/** Shared parts of the list's rows, and their rules that take more than a few lines. */

/** Input of a row: the case, the expected end so far, and the actual end. */
export type Looked = { given: Given; expected: Outcome; actual: Outcome };

/** Whether an error says nothing of the volume: the same backend is asked again. */
export const isUncertain = (error: string): boolean => routeOf(error) === "uncertain";
/** Whether another backend may be tried after it, once this one holds nothing. */
export const isReschedulable = (error: string): boolean => routeOf(error) !== "final";

/** A write that fails more often than it is tried. */
export const isLasting = ({ times }: WriteFault): boolean => times === undefined || times > RETRIES;

/** The write that makes the volume bootable and gives it its image metadata. */
export function isMetadataWrite({ op, match }: WriteFault): boolean {
  return op !== "volume_update" || (match?.startsWith("bootable") ?? false);
}

/** The last write of a create. With it goes what the driver returned, where nothing follows the driver's call. */
export function isLastWrite(given: Given, { op, match = "" }: WriteFault): boolean {
  const withModelUpdate = created(given).volume?.bootable === false;
  return (
    op === "volume_update" &&
    (/^(status=(available|migration_target)|launched_at)/.test(match) ||
      (withModelUpdate && match.startsWith("provider_location")))
  );
}

/** The write that keeps what the driver returned, where another step follows the driver's call. */
function isModelUpdate(given: Given, { op, match = "" }: WriteFault): boolean {
  const isForImage = createCalls(given).includes("copy_image_to_volume");
  const hasLocation = providerLocation(given) !== null;
  return (
    op === "volume_update" &&
    ((match === "status=downloading" && isForImage) || (match.startsWith("provider_location") && hasLocation))
  );
}

/** The write that hands the record to the next attempt. */
function isHandOver({ op, match = "" }: WriteFault): boolean {
  return op === "volume_update" && /^(scheduled_at|host)/.test(match);
}

/** An end with other values in some columns of its row. */
export function withRow(outcome: Outcome, columns: Partial<VolumeOutcome>): Outcome {
  return { ...outcome, volume: outcome.volume === null ? null : { ...outcome.volume, ...columns } };
}

/** Name of the error of an unusable source, which is known before any backend is asked. */
export function refusalOf(given: Given): string | undefined {
  const { type, image, src, volume_row: row } = given;
  if (type === "source_vol" && given.gone === undefined && src !== undefined) {
    return ["available", "in-use", "backing-up"].includes(src.status) ? undefined : "InvalidVolume";
  }
  if (type !== "image" || image.raise.show !== undefined) {
    return undefined;
  }
  const meta = imageMetaOf(given, "IMG");
  const bytes = row.size * 1024 ** 3;
  if (meta.status !== "active" || meta.min_disk > row.size || (meta.size ?? 0) > bytes) {
    return "InvalidInput";
  }
  return (meta.virtual_size ?? 0) > bytes ? "ImageUnacceptable" : undefined;
}

/** Row 11, by the write that keeps failing: what the driver returned, the last one, or the one that hands the record over. */
export function expectLastingFault({ given, actual }: Looked): Outcome | undefined {
  const fault = given.db.find(isLasting);
  const end = undisturbed(given, isReschedulable);
  if (fault === undefined || end === undefined) {
    return undefined;
  }
  if (end.casts.length > 0) {
    const calls = asRepeated(end.driver_calls, actual.driver_calls);
    return isHandOver(fault) ? erroredOut(given, calls, end.error ?? "") : undefined;
  }
  const error = raisedName(fault.raise);
  if (end.error !== null) {
    return undefined;
  }
  if (isLastWrite(given, fault)) {
    // Without another write in between, the last write stores the driver's result, which is lost with it.
    const isKept = end.volume?.bootable === true;
    const columns = { status: "error", launched_at_set: false, ...(!isKept && { provider_location: null }) };
    return { ...withRow(end, columns), notifications: end.notifications.slice(0, 1), error };
  }
  if (!isModelUpdate(given, fault)) {
    return undefined;
  }
  const calls = without(createCalls(given), "copy_image_to_volume");
  const back = rescheduled(given, calls, error);
  // The hand-over takes the location away, which is a write of it, too.
  const cannotHandOver = (fault.match ?? "").startsWith("provider_location");
  const failed = erroredOut(given, mayGoBack(given) ? back.driver_calls : calls, error);
  const expected = mayGoBack(given) && !cannotHandOver ? back : failed;
  return { ...expected, driver_calls: asRepeated(expected.driver_calls, actual.driver_calls) };
}

/** Row 16: the call that failed without an answer is made again. */
export function expectAskedAgain(given: Given, expected: Outcome, actual: Outcome): Outcome | undefined {
  const asked = createCalls(given).findLast((call) => expected.driver_calls.includes(call));
  const raise = given.driver[asked as keyof Omit<Given["driver"], "initialized">]?.raise;
  if (asked === undefined || raise === undefined) {
    return undefined;
  }
  const isOpen = asked === "copy_image_to_volume" ? isReschedulable(raisedName(raise)) : isUncertain(raisedName(raise));
  if (!isOpen) {
    return undefined;
  }
  const again = { ...expected, driver_calls: asRepeated(expected.driver_calls, actual.driver_calls) };
  // A backend that cannot say that nothing is there keeps the volume.
  const isUncleared = expected.casts.length > 0 && given.driver.delete_volume?.raise !== undefined;
  const columns = { status: "error", host: given.volume_row.host, scheduled_at_set: false };
  return isUncleared ? { ...withRow(again, columns), casts: [] } : again;
}
