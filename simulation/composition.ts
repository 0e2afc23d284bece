import { type Authenticator, NO_AUTHENTICATION } from "../core/api/authentication.ts";
import type { ApiDependencies } from "../core/api/dependencies.ts";
import type { Backend } from "../core/backends/backends.ts";
import type { ImageCache } from "../core/image-cache/image-cache.ts";
import type { Clock } from "../core/ports.ts";
import type { SchedulerSettings } from "../core/scheduling/settings.ts";
import type { ProjectMembership } from "../core/volumes/leave-project.ts";
import type { GivenUpCalls } from "../core/backends/limited-drivers.ts";
import type { PhaseBounds } from "../core/settings/time-bounds.ts";
import { simulated } from "./current-account.ts";
import type { Ports } from "./ports.ts";

/** Stands for `lambdas/runtime/composition.ts`, with the same names: the ports of the simulated account. */

export const clock: Clock = { now: () => simulated().now() };
export const volumes = (): Ports["volumes"] => simulated().ports.volumes;
export const snapshots = (): Ports["snapshots"] => simulated().ports.snapshots;
export const locks = (): Ports["locks"] => simulated().ports.locks;
export const volumeTypes = (): Ports["volumeTypes"] => simulated().ports.volumeTypes;
export const deadLetters = (): Ports["deadLetters"] => simulated().ports.deadLetters;
export const projects = (): Ports["projects"] => simulated().ports.projects;
export const audits = (): Ports["audits"] => simulated().ports.audits;
export const membership = (): ProjectMembership => simulated().ports.membership;
export const backends = (): Ports["backends"] => simulated().ports.backends;
export const candidates = (): ReturnType<Ports["candidates"]> => simulated().ports.candidates();
export const queue = (): Ports["queue"] => simulated().ports.queue;
export const notifier = (): Ports["notifier"] => simulated().ports.notifier;
export const workflow = (): Ports["workflow"] => simulated().ports.workflow;
export const drivers = (): Ports["drivers"] => simulated().ports.drivers;
export const givenUpCalls = (): GivenUpCalls => simulated().running("givenUpCalls").memory.givenUp;
export const remoteDrivers = (): Ports["remoteDrivers"] => simulated().ports.remoteDrivers;
export const imageCache = (): ImageCache | undefined => simulated().ports.imageCache;
export const images = (): Ports["images"] => simulated().ports.images;
export const configuredBackends = (): Backend[] => simulated().ports.configuredBackends;
export const bounds = (): { phaseBounds?: PhaseBounds } => ({});
export const newId = (): string => simulated().newId();
export const authenticator = (): Authenticator => NO_AUTHENTICATION;
export const api = (): ApiDependencies => simulated().ports.api;
export const settings = (): SchedulerSettings => simulated().ports.settings;
