import { expect, it } from "vitest";
import type { VolumeRepository } from "../../core/ports.ts";
import { made, port, type PortsOf } from "../../lambdas/runtime/ports.ts";
import { World } from "../support/fakes/world.ts";

const { volumes: repository } = new World().fakes;
const volumes = port("volumes", () => repository);
const declared = { volumes: volumes("get", "getMany") };

it("gives a task the repository, and by its type the declared methods only", () => {
  const { volumes: given } = made(declared);
  expect(given).toBe(repository);
  expect(given.getMany).toBeTypeOf("function");
  // @ts-expect-error `list` is not declared.
  expect(given.list).toBeTypeOf("function");
});

it("lists the declared methods, which may be those that a task asks for and no others", () => {
  const ports: PortsOf<{ volumes: Pick<VolumeRepository, "get" | "getMany"> }> = declared;
  // @ts-expect-error No task asks for `getMany`.
  const unused: PortsOf<{ volumes: Pick<VolumeRepository, "get"> }> = declared;
  expect([ports.volumes?.methods, unused.volumes?.methods]).toEqual([declared.volumes.methods, ["get", "getMany"]]);
});
