/**
 * Replaces `@smithy/core/event-streams` in the bundles. Only calls with an event stream need it (S3 Select, Kinesis), and no function makes
 * one, but the SDK's clients import it anyway.
 */

/** The client's configuration without event streams. */
export const resolveEventStreamSerdeConfig = <Config>(config: Config): Config => config;

/** @throws Error when a call with an event stream is made. */
export const eventStreamSerdeProvider = (): never => {
  throw new Error("Event streams are left out of this bundle");
};

/** See {@link eventStreamSerdeProvider}. */
export const EventStreamSerde = eventStreamSerdeProvider;
