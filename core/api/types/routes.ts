import type { ApiDependencies } from "../dependencies.ts";
import type { Route } from "../router.ts";
import { createTypeSchema, extraSpecSchema, extraSpecsSchema, updateTypeSchema } from "../schemas/details.ts";
import { changeAccess, listAccess } from "./access.ts";
import {
  createEncryption,
  createEncryptionSchema,
  deleteEncryption,
  showEncryption,
  showEncryptionSpec,
  updateEncryption,
  updateEncryptionSchema,
} from "./encryption.ts";
import * as types from "./types.ts";

/** Routes below `/types`. */
export function typeRoutes(deps: ApiDependencies): Route[] {
  const one = "/types/{id}";
  const specs = `${one}/extra_specs`;
  const encryption = `${one}/encryption`;
  const get = { method: "GET", takesBody: false } as const;
  const post = { method: "POST", takesBody: true } as const;
  const put = { method: "PUT", takesBody: true } as const;
  const remove = { method: "DELETE", takesBody: false } as const;
  const policy = <Name extends string>(name: Name) => `volume_extension:${name}` as const;
  const spec = <Name extends string>(name: Name) => `volume_extension:types_extra_specs:${name}` as const;
  return [
    { ...get, path: "/types", policy: policy("type_get_all"), handler: (call) => types.listTypes(deps, call) },
    {
      ...post,
      path: "/types",
      schema: createTypeSchema,
      policy: policy("type_create"),
      handler: (call) => types.createType(deps, call),
    },
    {
      ...get,
      path: "/types/default",
      policy: policy("type_get"),
      handler: (call) => types.showDefaultType(deps, call),
    },
    { ...get, path: one, policy: policy("type_get"), handler: (call) => types.showType(deps, call) },
    {
      ...put,
      path: one,
      schema: updateTypeSchema,
      policy: policy("type_update"),
      handler: (call) => types.updateType(deps, call),
    },
    { ...remove, path: one, policy: policy("type_delete"), handler: (call) => types.deleteType(deps, call) },
    {
      ...get,
      path: `${one}/os-volume-type-access`,
      policy: policy("volume_type_access:get_all_for_type"),
      handler: (call) => listAccess(deps, call),
    },
    {
      ...get,
      path: encryption,
      policy: policy("volume_type_encryption:get"),
      handler: (call) => showEncryption(deps, call),
    },
    {
      ...post,
      path: encryption,
      schema: () => createEncryptionSchema,
      policy: policy("volume_type_encryption:create"),
      handler: (call) => createEncryption(deps, call),
    },
    {
      ...get,
      path: `${encryption}/{key}`,
      policy: policy("volume_type_encryption:get"),
      handler: (call) => showEncryptionSpec(deps, call),
    },
    {
      ...put,
      path: `${encryption}/{key}`,
      schema: () => updateEncryptionSchema,
      policy: policy("volume_type_encryption:update"),
      handler: (call) => updateEncryption(deps, call),
    },
    {
      ...remove,
      path: `${encryption}/{key}`,
      policy: policy("volume_type_encryption:delete"),
      handler: (call) => deleteEncryption(deps, call),
    },
    { ...post, path: `${one}/action`, handler: (call) => changeAccess(deps, call) },
    { ...get, path: specs, policy: spec("index"), handler: (call) => types.listExtraSpecs(deps, call) },
    {
      ...post,
      path: specs,
      schema: extraSpecsSchema,
      policy: spec("create"),
      handler: (call) => types.addExtraSpecs(deps, call),
    },
    { ...get, path: `${specs}/{key}`, policy: spec("show"), handler: (call) => types.showExtraSpec(deps, call) },
    {
      ...put,
      path: `${specs}/{key}`,
      schema: extraSpecSchema,
      policy: spec("update"),
      handler: (call) => types.writeExtraSpec(deps, call),
    },
    { ...remove, path: `${specs}/{key}`, policy: spec("delete"), handler: (call) => types.deleteExtraSpec(deps, call) },
  ];
}
