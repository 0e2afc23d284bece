/**
 * Stands in for `@smithy/core/event-streams` in the bundles. Only calls that answer with a stream of events need it (S3 Select,
 * Kinesis), and no function makes one; the SDK's clients import it all the same.
 */
// @ts-nocheck


/** The client's configuration without the part for event streams. */
export const resolveEventStreamSerdeConfig = <Config>(config: Config): Config => config;

/** @throws Error when a call with an event stream is made after all. */
export const eventStreamSerdeProvider = (): never => {
  throw new Error("Event streams are left out of this bundle");
};

/** See {@link eventStreamSerdeProvider}. */
export const EventStreamSerde = eventStreamSerdeProvider;
