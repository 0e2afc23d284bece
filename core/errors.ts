import { foreignErrorName, foreignText } from "./text/foreign-text.ts";

/**
 * Every error the flow raises by name, and the one table that says where each name leads.
 *
 * Lambda's Node.js runtime reports `error.name` and the message, nothing else; Step Functions matches that name as an exact string. So each
 * class sets a literal `name` (class names do not survive minification), and a subclass is a row of its own. No class has fields that are
 * needed after the error has left its process. The names are Cinder's (`cinder/exception.py`) wherever Cinder has one.
 */

/**
 * The route of a failure of that name.
 *
 * - `final`: rescheduling cannot help, or the data may already exist.
 * - `reschedulable`: the backend says that the volume was not created.
 * - `uncertain`: it may have happened, or be happening. The same backend is asked again under the same token, and only its answer "nothing
 *   here" allows another backend to be tried.
 */
export type ErrorRoute = "final" | "reschedulable" | "uncertain";

// ---- final -----------------------------------------------------------------------------------------------------------

/** The attempt was closed on its backend: it has ended, and no call of it may take effect there any more. */
export class AttemptClosed extends Error {
  override readonly name = "AttemptClosed";
  constructor(fence: string) {
    super(`Attempt ${fence} was closed on its backend.`);
  }
}

/** The message, record or command asks for something impossible: a size, a combination, a malformed id. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
  constructor(reason: string) {
    super(`Invalid input received: ${reason}`);
  }
}

/** No volume of that id exists, or none that the caller's project may see. */
export class VolumeNotFound extends Error {
  override readonly name = "VolumeNotFound";
  constructor(volumeId: string) {
    super(`Volume ${volumeId} could not be found.`);
  }
}

/** No snapshot of that id exists, or none that the caller's project may see. */
export class SnapshotNotFound extends Error {
  override readonly name = "SnapshotNotFound";
  constructor(snapshotId: string) {
    super(`Snapshot ${snapshotId} could not be found.`);
  }
}

/** No volume type of that id exists, or the spec names no way to create a volume. */
export class VolumeTypeNotFound extends Error {
  override readonly name = "VolumeTypeNotFound";
  constructor(volumeTypeId: string) {
    super(`Volume type ${volumeTypeId} could not be found.`);
  }
}

/** No volume type of that name exists. */
export class VolumeTypeNotFoundByName extends Error {
  override readonly name = "VolumeTypeNotFoundByName";
  constructor(volumeTypeName: string) {
    super(`Volume type with name ${volumeTypeName} could not be found.`);
  }
}

/** A stored record cannot be read, because something other than this flow wrote it. */
export class UnreadableRecord extends Error {
  override readonly name = "UnreadableRecord";
  constructor(what: string, id: string, reason: string) {
    super(`The record of ${what} ${id} cannot be read: ${reason}`);
  }
}

/** The volume is not in a status that allows the action. */
export class InvalidVolume extends Error {
  override readonly name = "InvalidVolume";
  constructor(reason: string) {
    super(`Invalid volume: ${reason}`);
  }
}

/** A volume for reading only is attached for writing. */
export class InvalidVolumeAttachMode extends Error {
  override readonly name = "InvalidVolumeAttachMode";
  constructor(volumeId: string, mode: string) {
    super(`Invalid attaching mode '${mode}' for volume ${volumeId}.`);
  }
}

/** The snapshot is not in a status that allows the action. */
export class InvalidSnapshot extends Error {
  override readonly name = "InvalidSnapshot";
  constructor(reason: string) {
    super(`Invalid snapshot: ${reason}`);
  }
}

/** No image of that id exists in its image service, or none that the caller's project may see. */
export class ImageNotFound extends Error {
  override readonly name = "ImageNotFound";
  constructor(imageId: string) {
    super(`Image ${imageId} could not be found.`);
  }
}

/** The image service refuses the caller. */
export class ImageNotAuthorized extends Error {
  override readonly name = "ImageNotAuthorized";
  constructor(imageId: string) {
    super(`Not authorized for image ${imageId}.`);
  }
}

/** An image reference is neither an id nor an address of a configured image service. */
export class InvalidImageRef extends Error {
  override readonly name = "InvalidImageRef";
  constructor(imageHref: string) {
    super(`Invalid image href ${imageHref}.`);
  }
}

/** The image's bytes did not reach the volume completely. */
export class ImageCopyFailure extends Error {
  override readonly name = "ImageCopyFailure";
  constructor(reason: string) {
    super(`Failed to copy image to volume: ${reason}`);
  }
}

/** The image has a format or a content that may not become a volume. */
export class ImageUnacceptable extends Error {
  override readonly name = "ImageUnacceptable";
  constructor(imageId: string, reason: string) {
    super(`Image ${imageId} is unacceptable: ${reason}`);
  }
}

/** The backend has no room for the image. */
export class ImageTooBig extends Error {
  override readonly name = "ImageTooBig";
  constructor(imageId: string, reason: string) {
    super(`Image ${imageId} size exceeded available disk space: ${reason}`);
  }
}

/** The image would need a conversion that the operator has switched off. */
export class ImageConversionNotAllowed extends Error {
  override readonly name = "ImageConversionNotAllowed";
  constructor(imageId: string, reason: string) {
    super(`Image conversion not allowed for image ${imageId}: ${reason}`);
  }
}

/** The image carries a bad or partial signature. */
export class ImageSignatureVerificationException extends Error {
  override readonly name = "ImageSignatureVerificationException";
  constructor(imageId: string, reason: string) {
    super(`Failed to verify image signature of ${imageId}: ${reason}`);
  }
}

/** The image's signature does not match its bytes. */
export class InvalidSignatureImage extends Error {
  override readonly name = "InvalidSignatureImage";
  constructor(imageId: string) {
    super(`Signature verification failed for image ${imageId}.`);
  }
}

/** The source's or image's metadata could not be copied to a volume that already exists. */
export class MetadataCopyFailure extends Error {
  override readonly name = "MetadataCopyFailure";
  constructor(reason: string) {
    super(`Failed to copy metadata to volume: ${reason}`);
  }
}

/** Metadata of a volume that already exists could not be created. */
export class MetadataCreateFailure extends Error {
  override readonly name = "MetadataCreateFailure";
  constructor(reason: string) {
    super(`Failed to create metadata for volume: ${reason}`);
  }
}

/** Metadata of a volume that already exists could not be updated, or the bootable flag of its origin could not be read. */
export class MetadataUpdateFailure extends Error {
  override readonly name = "MetadataUpdateFailure";
  constructor(reason: string) {
    super(`Failed to update metadata for volume: ${reason}`);
  }
}

/** The scheduler has no candidate left, or no attempt. Raised by scheduling only (`cinder.exception.NoValidBackend`). */
export class NoValidBackend extends Error {
  override readonly name = "NoValidBackend";
  constructor(reason: string) {
    super(`No valid backend was found. ${reason}`);
  }
}

/** The volume's record belongs to another attempt, or has left the flow. The caller must not change anything more. */
export class FenceLost extends Error {
  override readonly name = "FenceLost";
  constructor(volumeId: string, fence: string, found: string) {
    super(`Volume ${volumeId} is not ${fence}'s to write: ${found}.`);
  }
}

/** Whether a write was refused because another attempt has the volume, or the volume is gone: nothing is left to do for the caller. */
export function isOvertaken(error: unknown): error is FenceLost | VolumeNotFound {
  return error instanceof FenceLost || error instanceof VolumeNotFound;
}

/** The volume's deletion was requested. The caller creates nothing more; the created data is removed with the record. */
export class VolumeDeleteRequested extends Error {
  override readonly name = "VolumeDeleteRequested";
  constructor(volumeId: string) {
    super(`Deletion of volume ${volumeId} was requested.`);
  }
}

/** The backend did not confirm that it holds nothing of the volume, so no other backend may be tried. */
export class BackendNotCleared extends Error {
  override readonly name = "BackendNotCleared";
  constructor(volumeId: string, host: string, reason: string) {
    super(`Volume ${volumeId} may still be on ${host}: ${reason}`);
  }
}

// ---- reschedulable ---------------------------------------------------------------------------------------------------

/** The backend answered that it did not create the volume. */
export class VolumeBackendAPIException extends Error {
  override readonly name = "VolumeBackendAPIException";
  constructor(reason: string) {
    super(`Bad or unexpected response from the storage volume backend API: ${reason}`);
  }
}

/**
 * The backend holds less of a source than its record says, so the driver created nothing from it. By name it is a
 * VolumeBackendAPIException. In the driver's process the image-volume cache recognizes it by its class, and evicts the source.
 */
export class SourceDamaged extends VolumeBackendAPIException {
  /** @param source such as `volume ID` */
  constructor(source: string, foundBytes: number, recordedBytes: number) {
    super(`${source} has ${foundBytes} bytes on its backend, and ${recordedBytes} by its record`);
  }
}

/** The driver answered that it did not create the volume. */
export class VolumeDriverException extends Error {
  override readonly name = "VolumeDriverException";
  constructor(reason: string) {
    super(`Volume driver reported an error: ${reason}`);
  }
}

/** The driver that serves the host is not ready, or cannot be created from its options. The backend was not asked. */
export class DriverNotInitialized extends Error {
  override readonly name = "DriverNotInitialized";
  constructor(host: string, reason?: string) {
    super(
      reason === undefined
        ? `Volume driver of ${host} not initialized.`
        : `Volume driver of ${host} not initialized: ${reason}`,
    );
  }
}

// ---- uncertain -------------------------------------------------------------------------------------------------------

/** No server of the image service, or of its authentication service, gave a usable answer within the configured number of tries. */
export class GlanceConnectionFailed extends Error {
  override readonly name = "GlanceConnectionFailed";
  constructor(reason: string) {
    super(`Connection to glance failed: ${reason}`);
  }
}

/** A backend did not answer a net in time. It may still execute the call later. */
export class BackendNotAnswering extends Error {
  override readonly name = "BackendNotAnswering";
  constructor(host: string, reason: string) {
    super(`Backend ${host} does not answer: ${reason}`);
  }
}

/** A notification could not be sent. The volume is not affected. */
export class NotificationNotSent extends Error {
  override readonly name = "NotificationNotSent";
  constructor(eventType: string, reason: string) {
    super(`Notification ${eventType} was not sent: ${reason}`);
  }
}

/**
 * The route of every name that the flow knows. A name that is not here is `uncertain`: see {@link routeOf}.
 *
 * ImageNotFound is final, unlike in Cinder: all backends ask the same image service, so another backend cannot find it either
 * (docs/adr/0003).
 */
export const ERROR_ROUTES = {
  InvalidInput: "final",
  VolumeNotFound: "final",
  SnapshotNotFound: "final",
  VolumeTypeNotFound: "final",
  VolumeTypeNotFoundByName: "final",
  UnreadableRecord: "final",
  InvalidVolume: "final",
  InvalidSnapshot: "final",
  ImageNotFound: "final",
  ImageNotAuthorized: "final",
  InvalidImageRef: "final",
  ImageCopyFailure: "final",
  ImageUnacceptable: "final",
  ImageTooBig: "final",
  ImageConversionNotAllowed: "final",
  ImageSignatureVerificationException: "final",
  InvalidSignatureImage: "final",
  MetadataCopyFailure: "final",
  MetadataCreateFailure: "final",
  MetadataUpdateFailure: "final",
  NoValidBackend: "final",
  FenceLost: "final",
  VolumeDeleteRequested: "final",
  BackendNotCleared: "final",
  AttemptClosed: "final",
  VolumeBackendAPIException: "reschedulable",
  VolumeDriverException: "reschedulable",
  DriverNotInitialized: "reschedulable",
  GlanceConnectionFailed: "uncertain",
  BackendNotAnswering: "uncertain",
  NotificationNotSent: "uncertain",
} as const satisfies Record<string, ErrorRoute>;

/**
 * Errors by which Step Functions has lost sight of a function that may still run: unlike one that timed out or crashed, it may
 * make something on its backend after the backend has said that nothing is there.
 */
const LOST_FROM_SIGHT = [
  "Lambda.ClientExecutionTimeoutException",
  "Lambda.ServiceException",
  "Lambda.AWSLambdaException",
  "Lambda.SdkClientException",
];

/** See {@link LOST_FROM_SIGHT}. */
export function mayStillRun(errorName: string): boolean {
  return LOST_FROM_SIGHT.includes(errorName);
}

/** A name that has a row in {@link ERROR_ROUTES}. */
export type ErrorName = keyof typeof ERROR_ROUTES;

/** The route of an error by its name; work may have been done under a name without a row, so it is `uncertain`. */
export function routeOf(errorName: string): ErrorRoute {
  return Object.hasOwn(ERROR_ROUTES, errorName) ? ERROR_ROUTES[errorName as ErrorName] : "uncertain";
}

/** The names with a route, in the order of the table, for the workflow's Catch lists. */
export function errorNamesOf(route: ErrorRoute): ErrorName[] {
  return (Object.keys(ERROR_ROUTES) as ErrorName[]).filter((name) => ERROR_ROUTES[name] === route);
}

/** The name and message of anything that was thrown, fit to be stored, logged and sent: see {@link foreignText}. */
export function describeError(error: unknown): { name: string; message: string } {
  if (error instanceof Error) {
    return { name: foreignErrorName(error.name), message: foreignText(error.message) };
  }
  return { name: "Error", message: foreignText(String(error)) };
}
