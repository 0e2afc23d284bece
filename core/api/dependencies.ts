import type {
  BackendRepository,
  Clock,
  LockRepository,
  SchedulerQueue,
  SnapshotRepository,
  VolumeRepository,
  VolumeTypeRepository,
} from "../ports.ts";
import type { Connections, ImageServices } from "../drivers/driver-ports.ts";
import type { ProjectRepository } from "../projects.ts";
import type { PhaseBounds } from "../settings/time-bounds.ts";
import type { ApiEnvironment } from "./options.ts";

/** Starts a function that works on after the API has answered. */
export interface WorkStarter {
  /** Returns when the event is accepted; it may be delivered twice. */
  start(functionName: keyof ApiEnvironment["functions"], event: Record<string, unknown>): Promise<void>;
}

/** Dependencies of the API. */
export type ApiDependencies = {
  volumes: Pick<
    VolumeRepository,
    | "beginDelete"
    | "beginExtend"
    | "changeAttachments"
    | "changeDetails"
    | "changeType"
    | "create"
    | "forgetLock"
    | "get"
    | "getMany"
    | "listSummaries"
    | "requestDelete"
    | "resetStatus"
  >;
  snapshots: Omit<
    SnapshotRepository,
    "countLock" | "delete" | "list" | "listOverdue" | "markAvailable" | "markErrorDeleting" | "rename"
  >;
  locks: Pick<LockRepository, "of" | "put" | "remove">;
  volumeTypes: VolumeTypeRepository;
  projects: Omit<ProjectRepository, "correctName" | "correctUsage" | "listQuotas">;
  backends: Pick<BackendRepository, "get" | "isGivenBack" | "list" | "release" | "setDisabled" | "settle">;
  connections: Connections;
  /** Images as the owner of a token sees them; undefined where the API cannot ask, so that the workflow alone checks images. */
  imagesFor: (token: string | undefined) => ImageServices | undefined;
  queue: SchedulerQueue;
  work: WorkStarter;
  clock: Clock;
  newId: () => string;
  zones: readonly string[];
  /** Name of the type of creates without one. */
  defaultVolumeType: string;
  /** A backend whose last report is older is down: the scheduler's `service_down_time`. */
  serviceDownSeconds: number;
  phaseBounds?: PhaseBounds;
};
