import { createVolumeOnFinish } from "../core/workflow/create-volume-on-finish.ts";
import { backends, clock, locks, notifier, volumes } from "./runtime/composition.ts";
import { writeMetrics } from "./runtime/metrics.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state CreateVolumeOnFinish. */
export const handler = taskHandler(["volume_spec", "creation"], async (input) => {
  const { created_at, launched_at } = await createVolumeOnFinish(
    { volumes: volumes(), locks: locks(), backends: backends(), notifier: notifier(), clock },
    input,
  );
  writeMetrics({ creates: 1 }, { outcome: "available" });
  writeMetrics({ createDuration: Date.parse(launched_at ?? created_at) - Date.parse(created_at) });
});
