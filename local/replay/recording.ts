import type { RecordedCall } from "../../cli/replay.ts";
import { readCause } from "../../core/fault.ts";

/** An execution as it was recorded, with the records that it read and that its history does not hold. */
export type Recording = {
  execution: string;
  calls: RecordedCall[];
  /** The source volume and the source snapshot, where the deployment still has them. */
  sources: { volume: Record<string, unknown> | null; snapshot: Record<string, unknown> | null };
};

/** The call that is being replayed: what the recorded driver and image service answer is taken of it. */
export const replayed: { call: RecordedCall | undefined; imageSpec: Record<string, unknown> } = {
  call: undefined,
  imageSpec: {},
};

/** The answer of the recorded call. @throws Error by the name and with the message of the recorded failure */
export function recordedAnswer(): Record<string, unknown> {
  const { call } = replayed;
  if (call === undefined) {
    throw new Error("nothing is being replayed");
  }
  if (call.error !== null) {
    throw Object.assign(new Error(readCause(call.cause ?? "").message), { name: call.error });
  }
  const answer: unknown = JSON.parse(call.output ?? "null");
  return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : {};
}
