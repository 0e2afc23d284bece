import { notifyCreateStart } from "../core/workflow/notify-create-start.ts";
import { clock, notifier } from "./runtime/composition.ts";
import { taskHandler } from "./runtime/task-handler.ts";

/** The state NotifyCreateStart. */
export const handler = taskHandler(["volume_ref"], (input) =>
  notifyCreateStart({ notifier: notifier(), clock }, input),
);
