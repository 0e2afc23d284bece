import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Choice, Condition, Fail, type IChainable, Succeed, Wait, WaitTime } from "aws-cdk-lib/aws-stepfunctions";
import type { LambdaInvoke } from "aws-cdk-lib/aws-stepfunctions-tasks";
import type { Construct } from "constructs";
import type { TaskFunctionName } from "../core/settings/functions.ts";
import { catchByRoute, FAILURE_PATH, taskState, type TaskStateProps } from "./task-state.ts";

/** Returns the function of a task state. */
export type FunctionOf = (name: TaskFunctionName) => IFunction;

/**
 * The workflow `create volume` (get_flow of the seed): extract, notify, create from the spec, finish, with the failures by route.
 *
 * ```
 * ExtractVolumeRef -> ExtractVolumeSpec -> NotifyCreateStart -> CreateVolumeFromSpec -> (a create by type)
 *   -> BackendReady -> [CopyImageToVolume] -> [HandleBootableVolume] -> CreateVolumeOnFinish -> VolumeCreated
 * ```
 *
 * Ids, the volume's reference and its spec travel between states; values that may change are read from the records. The workflow uses only
 * the part of the Amazon States Language that every engine runs identically.
 */
export function createVolumeDefinition(scope: Construct, functionOf: FunctionOf): IChainable {
  const failures = failureStates(scope, functionOf);
  const success = successStates(scope, functionOf, failures);
  const create = creationStates(scope, functionOf, failures, success);

  const task = (name: TaskFunctionName, props: Omit<TaskStateProps, "function"> = {}): LambdaInvoke =>
    taskState(scope, name, { function: functionOf(name), ...props });
  const extractVolumeRef = catchByRoute(
    task("ExtractVolumeRef", { result: "volume_ref" }),
    failures.errorOut,
    failures.canReschedule,
  );
  const extractVolumeSpec = catchByRoute(
    task("ExtractVolumeSpec", {
      input: ["volume_ref", "snapshot_id", "source_volid", "image_id"],
      result: "volume_spec",
    }),
    failures.errorOut,
    failures.canReschedule,
  );
  // A notification never fails a create, whatever its function's outcome.
  const notifyCreateStart = task("NotifyCreateStart", { input: ["volume_ref"] }).addCatch(create, {
    errors: ["States.ALL"],
    resultPath: "$.notification_failure",
  });
  return extractVolumeRef.next(extractVolumeSpec).next(notifyCreateStart).next(create);
}

type FailureStates = { errorOut: IChainable; canReschedule: IChainable; volumeCreated: IChainable };
type SuccessStates = { finish: IChainable; handleBootable: IChainable; copyImage: IChainable };

/** Routes of failures: `final` to ErrorOutVolume, others back to the scheduler if the request allows it. */
function failureStates(scope: Construct, functionOf: FunctionOf): FailureStates {
  const errorOut = taskState(scope, "ErrorOutVolume", {
    function: functionOf("ErrorOutVolume"),
    input: ["failure", "reschedule_failure"],
    result: "error_out",
  });
  const volumeCreated = new Succeed(scope, "VolumeCreated");
  const failed = new Fail(scope, "VolumeCreateFailed", {
    errorPath: `${FAILURE_PATH}.Error`,
    causePath: `${FAILURE_PATH}.Cause`,
  });
  // If the write or the notification fails, the execution ends with the original failure. The rule on failed executions then writes it, and
  // the sweep sends the notification.
  errorOut.addCatch(failed, { errors: ["States.ALL"], resultPath: "$.error_out_failure" });
  // A create whose notification failed has not failed itself.
  errorOut.next(
    new Choice(scope, "CreatedAfterAll")
      .when(Condition.stringEquals("$.error_out.outcome", "created"), volumeCreated)
      .otherwise(failed),
  );
  const reschedule = taskState(scope, "RescheduleVolume", {
    function: functionOf("RescheduleVolume"),
    input: ["image_id", "snapshot_id", "source_volid", "request_spec", "filter_properties", "failure"],
  });
  // The volume's fault is the original failure, so that one is kept.
  reschedule.addCatch(errorOut, { errors: ["States.ALL"], resultPath: "$.reschedule_failure" });
  reschedule.next(new Succeed(scope, "VolumeRescheduled"));
  const canReschedule = new Choice(scope, "CanReschedule")
    .when(Condition.booleanEquals("$.allow_reschedule", true), reschedule)
    .otherwise(errorOut);
  return { errorOut, canReschedule, volumeCreated };
}

/** Once the backend holds the volume, a failure never creates another one elsewhere. */
function successStates(scope: Construct, functionOf: FunctionOf, failures: FailureStates): SuccessStates {
  const { volumeCreated } = failures;
  const finish = taskState(scope, "CreateVolumeOnFinish", {
    function: functionOf("CreateVolumeOnFinish"),
    input: ["volume_spec", "creation"],
  });
  // The volume is available by then, and stays so. Its open claim shows the sweep that a notification is missing.
  finish.addCatch(volumeCreated, { errors: ["NotificationNotSent"], resultPath: "$.notification_failure" });
  catchByRoute(finish, failures.errorOut, failures.errorOut).next(volumeCreated);

  const handleBootable = catchByRoute(
    taskState(scope, "HandleBootableVolume", { function: functionOf("HandleBootableVolume"), input: ["volume_spec"] }),
    failures.errorOut,
    failures.errorOut,
  );
  handleBootable.next(finish);

  const copyImage = catchByRoute(
    taskState(scope, "CopyImageToVolume", {
      function: functionOf("CopyImageToVolume"),
      input: ["volume_spec"],
      result: "copy",
    }),
    failures.errorOut,
    failures.errorOut,
  );
  copyImage.next(
    new Choice(scope, "ImageCopied")
      .when(Condition.booleanEquals("$.copy.done", true), handleBootable)
      .otherwise(copyImage),
  );
  return { finish, handleBootable, copyImage };
}

/** CreateVolumeFromSpec and the wait for backends that work in the background. */
function creationStates(
  scope: Construct,
  functionOf: FunctionOf,
  failures: FailureStates,
  success: SuccessStates,
): IChainable {
  const creation = (name: TaskFunctionName, input: readonly string[] = ["volume_spec"]): LambdaInvoke =>
    catchByRoute(
      taskState(scope, name, { function: functionOf(name), input, result: "creation" }),
      failures.errorOut,
      failures.canReschedule,
    );
  const checkBackend = creation("CheckBackend", ["volume_spec", "creation"]);
  const backendReady = new Choice(scope, "BackendReady")
    .when(
      Condition.booleanEquals("$.creation.done", false),
      new Wait(scope, "WaitForBackend", { time: WaitTime.secondsPath("$.creation.wait_seconds") }).next(checkBackend),
    )
    .when(Condition.stringEquals("$.creation.next", "copy_image"), success.copyImage)
    .when(Condition.stringEquals("$.creation.next", "bootable"), success.handleBootable)
    .otherwise(success.finish);
  checkBackend.next(backendReady);

  const imageCloned = new Choice(scope, "ImageCloned")
    .when(Condition.booleanEquals("$.creation.cloned", true), backendReady)
    .otherwise(creation("CreateVolumeForImage", []).next(backendReady));
  return new Choice(scope, "CreateVolumeFromSpec")
    .when(specIs("raw"), creation("CreateRawVolume", []).next(backendReady))
    .when(specIs("snap"), creation("CreateVolumeFromSnapshot").next(backendReady))
    .when(specIs("source_vol"), creation("CreateClonedVolume").next(backendReady))
    .otherwise(creation("CloneImage").next(imageCloned));
}

function specIs(type: string): Condition {
  return Condition.stringEquals("$.volume_spec.type", type);
}
