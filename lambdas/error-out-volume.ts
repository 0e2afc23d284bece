import { errorOutVolume } from "../core/tasks/error-out-volume.ts";
import { backends, clock, notifier, volumes } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state ErrorOutVolume. */
export const handler = taskHandler(["failure"], (input) =>
  errorOutVolume({ volumes: volumes(), backends: backends(), notifier: notifier(), clock }, input),
);
