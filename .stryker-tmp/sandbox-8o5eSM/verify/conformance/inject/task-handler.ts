// @ts-nocheck
import type { Context, Handler } from "aws-lambda";
import { taskHandler as realTaskHandler } from "../../../lambdas/runtime/task-handler.ts";
import { currentPlan, withPlanOf } from "./current-plan.ts";

/**
 * Stands in for `lambdas/runtime/task-handler.ts` in the functions under test: the same frame, in the name of the event's case. A
 * case may say that the spec has another type; that is the spec's own output, changed on its way.
 */
export const taskHandler: typeof realTaskHandler = (keys, task) => {
  const handler = realTaskHandler(keys, task) as (event: unknown, context: Context) => Promise<unknown>;
  const inTheNameOfTheCase = (event: unknown, context: Context): Promise<unknown> =>
    withPlanOf(event, async () => {
      const output = await handler(event, context);
      const type = currentPlan()?.given.spec_type;
      return type !== undefined && isVolumeSpec(output) ? { ...output, type } : output;
    });
  return inTheNameOfTheCase as Handler as never;
};

function isVolumeSpec(output: unknown): output is Record<string, unknown> {
  return typeof output === "object" && output !== null && "volume_name" in output && "type" in output;
}
