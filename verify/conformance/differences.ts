import { routeOf } from "../../core/errors.ts";
import { isFlowStatus } from "../../core/records.ts";
import type { Given } from "./cases.ts";
import {
  expectAskedAgain,
  expectLastingFault,
  isLasting,
  isLastWrite,
  isMetadataWrite,
  isReschedulable,
  isUncertain,
  type Looked,
  refusalOf,
  withRow,
} from "./difference-rules.ts";
import { raisedName } from "./inject/errors.ts";
import { capturedMetadata, created, erroredOut, providerLocation, runUntilRowIsGone, undisturbed } from "./model.ts";
import type { Outcome } from "./outcome.ts";
import { asRepeated, without } from "./repeats.ts";

/**
 * The deliberate differences: every way in which a create ends differently here than in Cinder 21.3.1 and in the seed. The list is closed.
 * A row selects its cases by rule, never by a case's name, and states how it changes a recorded end. It explains a difference only if the
 * changed end, together with the other rows that apply, equals the actual end in every field.
 *
 * docs/cinder-differences.md is generated from it.
 */

/** One deliberate difference. */
export type Difference = {
  number: number;
  title: string;
  /** Behavior of Cinder and the seed. */
  there: string;
  /** Behavior of Cinderless. */
  here: string;
  reason: string;
  /** The invariants of the design that it serves, by number. */
  invariants: readonly number[];
  /** Whether a case may need it at all. */
  concerns(given: Given): boolean;
  /** The expected end as this row changes it; undefined where it has nothing to say. `actual` is looked at for repeats only. */
  expect(looked: Looked): Outcome | undefined;
};

export const DIFFERENCES: readonly Difference[] = [
  {
    number: 1,
    title: "No signature_verified among the image metadata",
    there:
      "Zed adds `signature_verified` = `False` before the driver is asked, and leaves it on a volume whose create fails.",
    here: "Not written, as in the seed.",
    reason:
      "A failed or rescheduled create leaves nothing half-written behind: in Zed exactly this row makes the " +
      "second download of a rescheduled volume fail. The flow verifies the image's hash instead.",
    invariants: [5, 8],
    concerns: ({ type }) => type === "image",
    expect: ({ given, expected }) => {
      const { signature_verified: verified, ...metadata } = expected.glance_metadata;
      const isLeftover = "signature_verified" in given.preexisting_glance_meta;
      return verified === "False" && !isLeftover ? { ...expected, glance_metadata: metadata } : undefined;
    },
  },
  {
    number: 2,
    title: "Image metadata is written whole",
    there: "The seed writes key by key and keeps the keys of an earlier attempt; Zed refuses any key that exists.",
    here: "One write replaces the volume's image metadata, and a hand-over to the next attempt takes all of it away.",
    reason: "Metadata is never incomplete, and a repeated attempt ends with exactly the metadata of its own image.",
    invariants: [3],
    concerns: ({ preexisting_glance_meta: before }) => Object.keys(before).length > 0,
    expect: ({ given, expected }) => {
      if (expected.casts.length > 0) {
        return { ...expected, glance_metadata: {} };
      }
      const isWritten = expected.volume?.bootable === true && expected.error === null;
      return isWritten ? { ...expected, glance_metadata: capturedMetadata(given) } : undefined;
    },
  },
  {
    number: 3,
    title: "min_disk and min_ram always have a value",
    there: "If the image's service does not return them, the volume's image metadata lacks them.",
    here: "Stored as 0, which is Glance's own default.",
    reason:
      "Both image services fill in the default where they read an image, so that one shape of metadata runs through the flow.",
    invariants: [],
    concerns: ({ type }) => type === "image",
    expect: ({ given, expected }) => {
      const shown = { ...given.image_meta };
      const missing = ["min_disk", "min_ram"].filter((key) => !(key in shown) || shown[key] === "<absent>");
      const isWritten = expected.glance_metadata["image_id"] !== undefined && expected.volume?.bootable === true;
      const defaults = Object.fromEntries(missing.map((key) => [key, "0"]));
      return isWritten ? { ...expected, glance_metadata: { ...expected.glance_metadata, ...defaults } } : undefined;
    },
  },
  {
    number: 4,
    title: "An image error keeps its name",
    there: "The seed wraps every error of the download but ImageUnacceptable as ImageCopyFailure.",
    here: "The image errors that no backend can help with keep their names, as in Zed.",
    reason: "The record's fault names the image's problem.",
    invariants: [5],
    concerns: ({ driver }) => driver.copy_image_to_volume?.raise !== undefined,
    expect: ({ given, expected }) => {
      const name = raisedName(given.driver.copy_image_to_volume?.raise ?? "");
      const isWrapped = expected.error === "ImageCopyFailure" && routeOf(name) === "final";
      return isWrapped ? { ...expected, error: name } : undefined;
    },
  },
  {
    number: 5,
    title: "A source that is known to be unusable is refused",
    there:
      "Only Zed checks an image's virtual size. Only the API checks that a source volume or image is usable " +
      "(status, min_disk, size); the flow does not check it again.",
    here: "ExtractVolumeSpec checks all of it.",
    reason: "Much can change between the API and the create, and an incomplete source would make an incomplete volume.",
    invariants: [8],
    concerns: (given) => refusalOf(given) !== undefined,
    expect: ({ given }) => erroredOut(given, [], refusalOf(given) ?? ""),
  },
  {
    number: 6,
    title: "A create that is refused at its spec sends no create.start",
    there: "The snapshot, and in Zed the image's virtual size, are checked after `create.start` was sent.",
    here: "They are checked with the rest of the spec, before `create.start`.",
    reason: "Everything needed for the refusal is known by then, and nothing has started.",
    invariants: [4],
    concerns: (given) => (given.type === "snap" && given.gone === "snapshot") || refusalOf(given) !== undefined,
    expect: ({ expected }) =>
      expected.driver_calls.length === 0 && expected.volume?.status === "error"
        ? { ...expected, notifications: expected.notifications.filter(({ event }) => event !== "volume.create.start") }
        : undefined,
  },
  {
    number: 7,
    title: "The snapshot's origin is looked up before the backend is asked",
    there:
      "After the driver has created the volume, which then stays on the backend of a volume in `error`. In Zed a " +
      "snapshot's row is removed with its origin's, so the snapshot is not found at all.",
    here: "MetadataUpdateFailure before the driver is asked.",
    reason: "An origin that cannot be read leaves nothing on the backend.",
    invariants: [4],
    concerns: ({ type, gone, gone_after_spec: goneLater, origin_lookup_fails: fails }) =>
      type === "snap" && (gone === "origin" || goneLater === "origin" || fails),
    expect: ({ expected }) => ({ ...expected, driver_calls: [], error: "MetadataUpdateFailure" }),
  },
  {
    number: 8,
    title: "A write that fails is tried again",
    there:
      "One failed write fails the create, is swallowed, or, in Zed, is repeated together with the next write. The" +
      " volume on the backend is left to another attempt, or abandoned.",
    here: "The step is repeated under its own fence, up to twice; its driver call finds the result of the first one.",
    reason: "A failed write says nothing about the volume, and all writes of the flow may be repeated.",
    invariants: [1, 3],
    concerns: ({ db }) => db.length > 0 && !db.some(isLasting),
    expect: ({ given, actual }) => {
      const end = undisturbed(given, isReschedulable);
      return end && { ...end, driver_calls: asRepeated(end.driver_calls, actual.driver_calls) };
    },
  },
  {
    number: 9,
    title: "The bootable flag and the image metadata are one write, made after the driver's result is stored",
    there:
      "The flag first, then the metadata, then the driver's result: a failure in between leaves a bootable volume without " +
      "metadata, and in the seed without its location. It is renamed MetadataCopyFailure or MetadataUpdateFailure.",
    here: "The record keeps its previous values, with the driver's location, and shows the write's own error.",
    reason: "The record is complete at every moment, and names the reason.",
    invariants: [4, 5],
    concerns: ({ db }) => db.some((fault) => isMetadataWrite(fault) && isLasting(fault)),
    expect: ({ given, expected }) => {
      const fault = given.db.find((each) => isMetadataWrite(each) && isLasting(each));
      if (fault === undefined || expected.volume?.status !== "error") {
        return undefined;
      }
      const columns = { bootable: given.volume_row.bootable, provider_location: providerLocation(given) };
      return { ...withRow(expected, columns), error: raisedName(fault.raise) };
    },
  },
  {
    number: 10,
    title:
      "Once the backend holds the volume, or where no other can help, the request does not go back to the scheduler",
    there:
      "Every error that is not in a list sends the request back, even when the volume was created and only a " +
      "write failed. The list lacks ImageNotFound.",
    here: "The volume ends in `error`, on its host.",
    reason:
      "Rescheduling must never create a second volume for one record, and all backends ask the same image service (ADR 0003).",
    invariants: [3, 4],
    concerns: ({ db, image }) => db.some(isLasting) || Object.keys(image.raise).length > 0,
    expect: ({ given, expected }) => {
      const isAfterCreate = given.db.some(
        (fault) => isLasting(fault) && (isMetadataWrite(fault) || isLastWrite(given, fault)),
      );
      const isHopeless = expected.error !== null && !isReschedulable(expected.error);
      if (expected.casts.length === 0 || !(isAfterCreate || isHopeless)) {
        return undefined;
      }
      const columns = { status: "error", host: given.volume_row.host, scheduled_at_set: false, launched_at_set: false };
      return {
        ...withRow(expected, columns),
        casts: [],
        driver_calls: without(expected.driver_calls, "delete_volume"),
      };
    },
  },
  {
    number: 11,
    title: "A create whose writes keep failing ends in `error`",
    there:
      "A failed write is swallowed, or postponed until it succeeds. The flow succeeds and the volume stays " +
      "`creating` for ever, or becomes `available` without the driver's result. A row that could not be prepared " +
      "for the scheduler is cast nevertheless.",
    here:
      "ErrorOutVolume, with the original error. If the driver's result cannot be stored and the request may go " +
      "back, the backend is cleared first. If the record cannot be handed over, nothing is cast.",
    reason: "A volume is never stuck, and the next attempt can only use a record that was handed to it.",
    invariants: [1, 2, 4],
    concerns: (given) => given.db.some(isLasting),
    expect: (looked) => expectLastingFault(looked),
  },
  {
    number: 12,
    title: "A cast that fails leaves nothing stuck",
    there:
      "Zed swallows the failure, or replaces the driver's error with it, and the volume stays `creating` without a host. The " +
      "seed sets `error`, on the host.",
    here:
      "The failed backend is cleared first, and the cast is retried twice. If it keeps failing, the sweep puts " +
      "the queued volume in `error`. The execution ends with the driver's error.",
    reason: "A volume is never stuck, and one without a backend has no host.",
    invariants: [1, 4, 5],
    concerns: ({ scheduler_raise: raise }) => raise !== undefined,
    expect: ({ given, actual }) => {
      const end = undisturbed({ ...given, preexisting_glance_meta: {} }, isReschedulable);
      const [cast] = end?.casts ?? [];
      if (end === undefined || cast === undefined) {
        return undefined;
      }
      const failed = { ...cast, raised: given.scheduler_raise ?? "" };
      return {
        ...withRow(end, { status: "error" }),
        casts: asRepeated([failed], actual.casts),
        driver_calls: asRepeated(end.driver_calls, actual.driver_calls),
      };
    },
  },
  {
    number: 13,
    title: "Rescheduling has no separate context",
    there: "Without it the seed sets `error`, and Zed leaves the volume in `creating` for ever.",
    here: "The request's own context goes back with it, so it cannot be missing.",
    reason: "A volume is never stuck. The context contains no token, so it need not be replaced.",
    invariants: [1, 9],
    concerns: ({ reschedule_context: has }) => !has,
    expect: ({ given }) => undisturbed(given, isReschedulable),
  },
  {
    number: 14,
    title: "A volume that is in `error` is not created",
    there: "A row that the flow finds in `error` is created and becomes `available`.",
    here: "FenceLost before the backend is asked; the volume stays in `error`.",
    reason:
      "The writer of `error` ended the attempt, and the backend may have been cleared since. A late turn must not" +
      " resurrect the volume.",
    invariants: [2],
    concerns: ({ volume_row: { status } }) => !isFlowStatus(status),
    expect: ({ given }) => {
      const refused = erroredOut(given, [], "FenceLost");
      return withRow(refused, { status: given.volume_row.status });
    },
  },
  {
    number: 15,
    title: "A backend that was not asked is not cleared",
    there: "Zed calls delete_volume on the failed backend after every cast; the seed never does.",
    here: "delete_volume before the cast, if the backend was asked to create.",
    reason: "A driver that is not initialised holds nothing of the volume, and cannot be asked.",
    invariants: [4],
    concerns: ({ driver, image }) => driver.initialized === false || Object.keys(image.raise).length > 0,
    expect: ({ expected }) =>
      expected.casts.length > 0 && expected.driver_calls.every((call) => call === "delete_volume")
        ? { ...expected, driver_calls: [] }
        : undefined,
  },
  {
    number: 16,
    title: "An uncertain call is repeated on the same backend",
    there: "An error that says nothing about the volume is handled like one that says that it was not created.",
    here:
      "The call is repeated, twice, under the same id; a download continues where it stopped. The request goes " +
      "back to the scheduler only when the backend says that it holds nothing.",
    reason: "One volume on one backend, and no unknown orphan.",
    invariants: [3, 4],
    concerns: ({ driver }) =>
      Object.values(driver).some((call) => typeof call === "object" && call.raise !== undefined),
    expect: ({ given, expected, actual }) => expectAskedAgain(given, expected, actual),
  },
  {
    number: 17,
    title: "A notification that cannot be sent is retried, and never fails a create",
    there: "Cinder gives up at once, and an error that is not Cinder's own reschedules a create, even a finished one.",
    here: "Retried twice with the same message_id; then the create continues.",
    reason: "Consumers get `create.end` at least once, and a volume does not depend on its consumers.",
    invariants: [3, 6],
    concerns: ({ notify_raise: raise }) => Object.keys(raise).length > 0,
    expect: ({ given, actual }) => {
      const end = undisturbed(given, isReschedulable);
      const told = end?.notifications.map((notification) => {
        const event = notification.event.replace("volume.", "") as keyof Given["notify_raise"];
        const raised = given.notify_raise[event];
        return raised === undefined ? notification : { ...notification, raised };
      });
      return end && told && { ...end, notifications: asRepeated(told, actual.notifications) };
    },
  },
  {
    number: 18,
    title: "A failed create sends a notification",
    there:
      "No release of Cinder sends a notification for a failure: consumers see a create that starts and never " +
      "ends. Zed sends nothing at all for temporary volumes (`use_quota` false); the seed does.",
    here:
      "`volume.create.error`, priority ERROR, with the fault, when the record reads `error`. There is no " +
      "`use_quota`: notifications cover every volume.",
    reason: "Consumers of notifications learn how every create ends.",
    invariants: [5, 6],
    concerns: () => true,
    expect: ({ given, expected }) => {
      const isSilent = !given.volume_row.use_quota && expected.notifications.length === 0;
      const lastsUntil = expected.error === null ? 2 : 1;
      const before = isSilent ? created(given).notifications.slice(0, lastsUntil) : expected.notifications;
      const { volume, glance_metadata: metadata } = expected;
      if (volume?.status !== "error") {
        return isSilent ? { ...expected, notifications: before } : undefined;
      }
      const told = {
        event: "volume.create.error",
        payload_status: "error",
        publisher_host: volume.host ?? "",
        has_glance_metadata: Object.keys(metadata).length > 0,
      };
      return { ...expected, notifications: [...before, told] };
    },
  },
  {
    number: 19,
    title: "A create stops when its volume's row is gone",
    there:
      "Writes to a row that was deleted in the meantime change nothing and succeed, so the flow continues to its " +
      "end, with all remaining driver calls.",
    here:
      "The next write finds that the row is gone. The driver is not called again, and the execution ends by " +
      "VolumeNotFound.",
    reason:
      "A write without an effect must not count as a write. The product itself never removes the row of a running" +
      " create; if another program does, the audit finds the data that remains on the backend.",
    invariants: [2, 4],
    concerns: (given) => runUntilRowIsGone(given, isUncertain) !== undefined,
    expect: ({ given, actual }) => {
      const run = runUntilRowIsGone(given, isUncertain);
      if (run === undefined) {
        return undefined;
      }
      const end = erroredOut(given, asRepeated(run.calls, actual.driver_calls), run.error);
      return { ...end, volume: null, glance_metadata: {} };
    },
  },
];
