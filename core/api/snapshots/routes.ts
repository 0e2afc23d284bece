import type { ApiDependencies } from "../dependencies.ts";
import type { Route } from "../router.ts";
import {
  createSnapshotSchema,
  snapshotMetadataSchema,
  snapshotMetaSchema,
  updateSnapshotSchema,
} from "../schemas/details.ts";
import { actOnSnapshot } from "./actions.ts";
import * as change from "./change.ts";
import { createSnapshot } from "./create.ts";
import { listSnapshots } from "./list.ts";

/** Routes below `/snapshots`. */
export function snapshotRoutes(deps: ApiDependencies): Route[] {
  const get = { method: "GET", takesBody: false } as const;
  const post = { method: "POST", takesBody: true } as const;
  const put = { method: "PUT", takesBody: true } as const;
  const remove = { method: "DELETE", takesBody: false } as const;
  const one = "/snapshots/{id}";
  const metadata = `${one}/metadata`;
  const reads = { policy: "volume:get_snapshot_metadata" } as const;
  const writes = { policy: "volume:update_snapshot_metadata" } as const;
  const list = { ...get, policy: "volume:get_all_snapshots" } as const;
  return [
    { ...list, path: "/snapshots", handler: (call) => listSnapshots(deps, call, false) },
    { ...list, path: "/snapshots/detail", handler: (call) => listSnapshots(deps, call, true) },
    {
      ...post,
      path: "/snapshots",
      schema: createSnapshotSchema,
      policy: "volume:create_snapshot",
      handler: (call) => createSnapshot(deps, call),
    },
    { ...get, path: one, policy: "volume:get_snapshot", handler: (call) => change.showSnapshot(deps, call) },
    {
      ...put,
      path: one,
      schema: updateSnapshotSchema,
      policy: "volume:update_snapshot",
      handler: (call) => change.updateSnapshot(deps, call),
    },
    { ...post, path: `${one}/action`, handler: (call) => actOnSnapshot(deps, call) },
    { ...remove, path: one, policy: "volume:delete_snapshot", handler: (call) => change.deleteSnapshot(deps, call) },
    { ...get, ...reads, path: metadata, handler: (call) => change.showSnapshotMetadata(deps, call) },
    {
      ...post,
      ...writes,
      path: metadata,
      schema: snapshotMetadataSchema,
      handler: (call) => change.writeSnapshotMetadata(deps, call, false),
    },
    {
      ...put,
      ...writes,
      path: metadata,
      schema: snapshotMetadataSchema,
      handler: (call) => change.writeSnapshotMetadata(deps, call, true),
    },
    { ...get, ...reads, path: `${metadata}/{key}`, handler: (call) => change.showSnapshotMetadataKey(deps, call) },
    {
      ...put,
      ...writes,
      path: `${metadata}/{key}`,
      schema: snapshotMetaSchema,
      handler: (call) => change.writeSnapshotMetadataKey(deps, call),
    },
    {
      ...remove,
      policy: "volume:delete_snapshot_metadata",
      path: `${metadata}/{key}`,
      handler: (call) => change.deleteSnapshotMetadataKey(deps, call),
    },
  ];
}
