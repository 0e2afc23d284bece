/** Texts of user messages, by Cinder's numbers (cinder/message/message_field.py). */

type Field = readonly [id: string, text: string];

const SCHEDULE: Field = ["001", "schedule allocate volume"];
const COPY_IMAGE: Field = ["005", "copy image to volume"];
const CREATE_ON_BACKEND: Field = ["008", "create volume from backend storage"];

const UNKNOWN: Field = ["001", "An unknown error occurred."];
const DRIVER_FAILED_CREATE: Field = ["012", "Driver failed to create the volume."];

/** Details that follow from the error alone (`Detail.EXCEPTION_DETAIL_MAPPINGS`). */
const DETAILS: Readonly<Record<string, Field>> = {
  DriverNotInitialized: ["002", "Driver is not initialized at present."],
  NoValidBackend: ["003", "Could not find any available weighted backend."],
  ImageTooBig: ["007", "Image used for creating volume exceeds available space."],
  ImageSignatureVerificationException: ["011", "Image signature verification failed."],
};

/** Errors of images, whose work Cinder calls a copy of the image. */
const IMAGE_ERROR = /^(?:Image|InvalidImage)/;

/** The action and its error, as the event and the text of a message. */
export type MessageFields = { event_id: string; user_message: string };

/**
 * The message of a create that ended by an error.
 *
 * @param isPlaced whether a backend was chosen before
 */
export function messageFields(error: string, isPlaced: boolean): MessageFields {
  const onBackend = IMAGE_ERROR.test(error) ? COPY_IMAGE : CREATE_ON_BACKEND;
  const [action, what] = isPlaced ? onBackend : SCHEDULE;
  const general = isPlaced && onBackend === CREATE_ON_BACKEND ? DRIVER_FAILED_CREATE : UNKNOWN;
  const [detail, why] = Object.hasOwn(DETAILS, error) ? (DETAILS[error] ?? general) : general;
  return { event_id: `VOLUME_VOLUME_${action}_${detail}`, user_message: `${what}:${why}` };
}
