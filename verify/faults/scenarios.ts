import { API_SESSIONS } from "./scenarios-api.ts";
import { AGAIN } from "./scenarios-again.ts";
import { BACKENDS } from "./scenarios-backends.ts";
import { OTHERS } from "./scenarios-beside.ts";
import { CREATES } from "./scenarios-creates.ts";
import { FAILURES } from "./scenarios-failures.ts";
import { SIZES } from "./scenarios-sizes.ts";
import type { Scenario } from "./scenario.ts";

/**
 * Work during a fault: creates of every kind, and the nets after a failed create. Together they have to reach every state, every function
 * and every call of a port, or the run fails.
 */

/** In the order of the matrix. */
export const SCENARIOS: readonly Scenario[] = [
  ...CREATES,
  ...FAILURES,
  ...AGAIN,
  ...OTHERS,
  ...BACKENDS,
  ...API_SESSIONS,
  ...SIZES,
];
