// @ts-nocheck
import type { SchedulerVectors } from "../../verify/conformance/vectors/recorded.ts";
import recorded from "../data/scheduler-vectors.json" with { type: "json" };

export { aPool, type CapacityVector } from "../../verify/conformance/vectors/recorded.ts";

/** Answers recorded from Cinder's own scheduler classes. */
export const vectors = recorded as unknown as SchedulerVectors;
