import { type FinishDependencies, createVolumeOnFinish } from "../core/workflow/create-volume-on-finish.ts";
import { backends, clock, locks, notifier, volumes } from "./runtime/composition.ts";
import { made, type PortsOf } from "./runtime/ports.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

export const ports = {
  backends: backends("settle", "settleUnsent"),
  locks: locks("remove"),
  volumes: volumes("markAvailable"),
} satisfies PortsOf<FinishDependencies>;

/** The state CreateVolumeOnFinish. */
export const handler = taskHandler(["volume_spec", "creation"], async (input) => {
  const { created_at, launched_at } = await createVolumeOnFinish(
    { ...made(ports), notifier: notifier(), clock },
    input,
  );
  writeMetrics({ creates: 1 }, { outcome: "available" });
  writeMetrics({ createDuration: Date.parse(launched_at ?? created_at) - Date.parse(created_at) });
});
