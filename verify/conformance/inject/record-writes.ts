import { GetItemCommand, UpdateItemCommand, type UpdateItemCommandInput } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDb } from "../../../adapters/dynamodb/table.ts";
import { pythonStr } from "../../../core/text/python-str.ts";
import type { Given, WriteFault } from "../cases.ts";
import { errorRaised } from "./errors.ts";
import { eventsOf, log, type Plan, planOf } from "./plan.ts";

/** Columns that a write sets, with their values; a column that it removes is null. */
export type Written = Readonly<Record<string, unknown>>;

/** The operation of Cinder's database that sets the volume's image metadata, by where that comes from. */
const METADATA_OPERATIONS: Readonly<Record<Given["type"], readonly WriteFault["op"][]>> = {
  raw: [],
  snap: ["volume_glance_metadata_copy_to_volume"],
  source_vol: ["volume_glance_metadata_copy_from_volume_to_volume"],
  image: ["volume_glance_metadata_bulk_create", "volume_glance_metadata_create"],
};

/**
 * A client whose writes of the case's volume fail as the case says: by what they write, so whatever method of the repository they
 * come from. The write does not happen then. The read of the snapshot's origin can fail, too.
 */
export function faultyRecords(client: DynamoDb): DynamoDb {
  const send = (command: unknown, ...rest: unknown[]): unknown => {
    if (command instanceof UpdateItemCommand) {
      failWrite(command.input);
    }
    if (command instanceof GetItemCommand && process.env["AWS_LAMBDA_FUNCTION_NAME"]?.includes(NET) === true) {
      tellOfNet(command.input.Key?.["id"]?.S);
    }
    if (command instanceof GetItemCommand && isFailingOrigin(command.input.Key?.["id"]?.S)) {
      return Promise.resolve({ $metadata: {} });
    }
    return (client.send as (...args: unknown[]) => unknown)(command, ...rest);
  };
  return { send: (async (...args: [unknown, ...unknown[]]) => send(...args)) as DynamoDb["send"] };
}

/** Function that the rule on failed executions calls. */
const NET = "ErrorOutFailedExecution";

function tellOfNet(volumeId: string | undefined): void {
  const plan = volumeId === undefined ? undefined : planOf(volumeId);
  if (plan?.volumeId === volumeId && plan !== undefined) {
    log(plan, { event: "net" });
  }
}

function isFailingOrigin(volumeId: string | undefined): boolean {
  const plan = volumeId === undefined ? undefined : planOf(volumeId);
  return plan !== undefined && plan.given.origin_lookup_fails && plan.sourceId === volumeId;
}

function failWrite(input: UpdateItemCommandInput): void {
  const volumeId = input.Key?.["id"]?.S ?? "";
  const plan = planOf(volumeId);
  if (plan === undefined || plan.volumeId !== volumeId) {
    return;
  }
  const written = writtenBy(input);
  const index = plan.given.db.findIndex(
    (fault, number) => isHit(fault, plan.given.type, written) && !isUsedUp(plan, fault, number),
  );
  const fault = plan.given.db[index];
  if (fault !== undefined) {
    log(plan, { event: "write fault", index });
    throw errorRaised(fault.raise);
  }
}

/** Whether a write is what a fault waits for. */
export function isHit(fault: WriteFault, type: Given["type"], written: Written): boolean {
  if (fault.op !== "volume_update") {
    return (
      "glance_metadata" in written &&
      isFilled(written["glance_metadata"]) &&
      METADATA_OPERATIONS[type].includes(fault.op)
    );
  }
  const columns = Object.keys(written).filter((column) => COLUMNS_OF_CINDER.includes(column));
  if (fault.match === undefined) {
    return columns.length > 0;
  }
  const [column = "", value] = fault.match.split("=");
  return columns.includes(column) && (value === undefined || pythonStr(written[column]) === value);
}

/** Those of a volume's columns that Cinder's row has; a write of others only has no counterpart there. */
const COLUMNS_OF_CINDER = ["status", "host", "bootable", "launched_at", "scheduled_at", "provider_location"];

function isFilled(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

function isUsedUp(plan: Plan, fault: WriteFault, index: number): boolean {
  const struck = eventsOf(plan.volumeId).filter((event) => event.event === "write fault" && event.index === index);
  return fault.times !== undefined && struck.length >= fault.times;
}

/** Top-level attributes of the item that an update sets and removes. */
export function writtenBy(input: UpdateItemCommandInput): Written {
  const { UpdateExpression: expression = "", ExpressionAttributeNames: names = {} } = input;
  const values = unmarshall(input.ExpressionAttributeValues ?? {});
  const [set = "", removed = ""] = expression.split(/\bREMOVE\b/);
  const assignment = /(?<![.\w])(#\w+)\s*=\s*(?:if_not_exists\([^,]+,\s*)?(:\w+)/g;
  const sets = Array.from(set.matchAll(assignment), ([, name = "", value = ""]) => [
    names[name] ?? name,
    values[value],
  ]);
  const removes = Array.from(removed.matchAll(/(?<![.\w])(#\w+)(?!\w*\.)/g), ([, name = ""]) => [
    names[name] ?? name,
    null,
  ]);
  return Object.fromEntries([...sets, ...removes]) as Written;
}
