// @ts-nocheck
import { expect } from "vitest";
import type { Moment } from "./faults.ts";
import type { World } from "./world.ts";

/**
 * Runs an action once as it should go, then once more for each of its calls and each moment: in a new world the process dies there,
 * and a new one repeats the action. Every such world must end as the first one did.
 *
 * @returns how many deaths were tried
 */
export async function expectSameAfterAnyDeath(
  makeWorld: () => World,
  action: (world: World) => Promise<unknown>,
  check: (world: World) => void = () => {},
): Promise<number> {
  const undisturbed = makeWorld();
  await action(undisturbed);
  const calls = [...undisturbed.faults.calls];
  let deaths = 0;
  for (const [index, call] of calls.entries()) {
    for (const moment of ["before", "after"] satisfies Moment[]) {
      const world = makeWorld();
      world.faults.crashAt(index + 1, moment);
      await expect(action(world), `death ${moment} ${call}`).rejects.toThrow("the process has ended");
      world.faults.revive();
      await action(world);
      expect(world.state(), `after a death ${moment} ${call}`).toEqual(undisturbed.state());
      check(world);
      deaths += 1;
    }
  }
  return deaths;
}
