import type { Context, Handler } from "aws-lambda";
import { taskHandler as realTaskHandler } from "../../../lambdas/runtime/task-handler.ts";
import { currentPlan, withPlanOf } from "./current-plan.ts";
import { deleteRow } from "./rows.ts";

/**
 * Stands in for `lambdas/runtime/task-handler.ts` in the functions under test: the same frame, in the name of the event's case. A
 * case may say that the spec has another type, which is the spec's own output, changed on its way, and that a row is gone after it.
 */
export const taskHandler: typeof realTaskHandler = (keys, task) => {
  const handler = realTaskHandler(keys, task) as (event: unknown, context: Context) => Promise<unknown>;
  const inTheNameOfTheCase = (event: unknown, context: Context): Promise<unknown> =>
    withPlanOf(event, async () => {
      const output = await handler(event, context);
      const plan = currentPlan();
      const { spec_type: type, gone_after_spec: gone } = plan?.given ?? {};
      if (plan !== undefined && gone !== undefined && isVolumeSpec(output)) {
        await deleteRow(plan, gone);
      }
      return type !== undefined && isVolumeSpec(output) ? { ...output, type } : output;
    });
  return inTheNameOfTheCase as Handler as never;
};

function isVolumeSpec(output: unknown): output is Record<string, unknown> {
  return typeof output === "object" && output !== null && "volume_name" in output && "type" in output;
}
