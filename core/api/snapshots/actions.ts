import { describeError } from "../../errors.ts";
import type { SnapshotRecord, SnapshotStatus } from "../../records.ts";
import { SNAPSHOT_STATUSES } from "../../records.ts";
import { phaseDeadline } from "../../settings/time-bounds.ts";
import { readAction } from "../actions.ts";
import type { ApiDependencies } from "../dependencies.ts";
import { type ApiError, badRequest, invalidInput } from "../errors.ts";
import type { Answer, Call } from "../http.ts";
import { authorize } from "../policies.ts";
import type { Schema } from "../validation.ts";
import { visibleSnapshot } from "./find.ts";

const STATUS_WORDS = SNAPSHOT_STATUSES.map((status) => `'${status}'`).join(", ");

const SCHEMAS = {
  "os-reset_status": {
    type: "object",
    properties: {
      status: {
        type: "string",
        format: (value) =>
          isStatus(String(value).toLowerCase())
            ? undefined
            : badRequest(
                `Snapshot status: ${String(value).slice(0, 255)} is invalid, valid statuses are: (${STATUS_WORDS}).`,
              ),
      },
    },
    required: ["status"],
    additionalProperties: false,
  },
  "os-update_snapshot_status": {
    type: "object",
    properties: {
      status: { type: "string" },
      progress: {
        type: ["string", "null"],
        format: progressProblem,
      },
    },
    required: ["status"],
    additionalProperties: false,
  },
  "os-force_delete": {},
} as const satisfies Readonly<Record<string, Schema>>;

/** `progress` of cinder/api/validation/validators.py: a whole number before the last character, which is `%`. */
function progressProblem(value: unknown): ApiError | undefined {
  if (typeof value !== "string" || value === "") {
    return undefined;
  }
  const digits = Array.from(value).slice(0, -1).join("").trim();
  if (!/^[+-]?\d+$/.test(digits)) {
    return invalidInput("progress must be an integer percentage");
  }
  return Number(digits) < 0 || Number(digits) > 100 || !value.endsWith("%")
    ? invalidInput("progress must be an integer percentage between 0 and 100")
    : undefined;
}

function isStatus(text: string): text is SnapshotStatus {
  return (SNAPSHOT_STATUSES as readonly string[]).includes(text);
}

/** From which status a driver's helper may set which (cinder/api/contrib/snapshot_actions.py). */
const UPDATES: Readonly<Record<string, readonly string[]>> = {
  creating: ["creating", "available", "error"],
  deleting: ["deleting", "error_deleting"],
};

const POLICIES = {
  "os-reset_status": "volume_extension:snapshot_admin_actions:reset_status",
  "os-update_snapshot_status": "snapshot_extension:snapshot_actions:update_snapshot_status",
  "os-force_delete": "volume_extension:snapshot_admin_actions:force_delete",
} as const;

/** `POST /snapshots/{id}/action` */
export async function actOnSnapshot(deps: ApiDependencies, call: Call): Promise<Answer> {
  const { name, value } = readAction(call, SCHEMAS);
  const snapshot = await visibleSnapshot(deps, call.caller, call.params["id"] ?? "");
  authorize(call.caller, POLICIES[name]);
  switch (name) {
    case "os-reset_status":
      await deps.snapshots.resetStatus(snapshot.id, statusIn(value));
      break;
    case "os-update_snapshot_status":
      await deps.snapshots.resetStatus(snapshot.id, requireUpdate(snapshot, value), snapshot.status);
      await tellProgress(deps, snapshot, value);
      break;
    case "os-force_delete":
      await forceDelete(deps, snapshot);
      break;
    default:
      return name satisfies never;
  }
  return { status: 202 };
}

async function tellProgress(deps: ApiDependencies, { id }: SnapshotRecord, value: unknown): Promise<void> {
  const { progress } = value as { progress?: string | null };
  if (typeof progress === "string" && progress !== "") {
    await deps.snapshots.changeDetails(id, { progress, updatedAt: deps.clock.now() });
  }
}

function statusIn(value: unknown): SnapshotStatus {
  return (value as { status: string }).status.toLowerCase() as SnapshotStatus;
}

function requireUpdate({ status }: SnapshotRecord, value: unknown): SnapshotStatus {
  const wanted = (value as { status: string }).status;
  const allowed = Object.hasOwn(UPDATES, status) ? UPDATES[status] : undefined;
  if (allowed === undefined) {
    throw badRequest(`Snapshot status ${status} not allowed for update_snapshot_status`);
  }
  if (!allowed.includes(wanted) || !isStatus(wanted)) {
    throw badRequest(
      `Provided snapshot status ${wanted.slice(0, 255)} not allowed for snapshot with status ${status}.`,
    );
  }
  return wanted;
}

/** Deletes in any status; the source of a create in progress stays. */
async function forceDelete(deps: ApiDependencies, snapshot: SnapshotRecord): Promise<void> {
  try {
    await deps.snapshots.beginDelete(snapshot, phaseDeadline(deps, "removal"));
  } catch (error) {
    throw describeError(error).name === "InvalidSnapshot"
      ? badRequest("Invalid snapshot: a volume is being made of the snapshot, or its status has changed.")
      : error;
  }
  await deps.work.start("DeleteSnapshot", { snapshot_id: snapshot.id });
}
