import { parseArgs } from "node:util";
import { describeError } from "../../core/errors.ts";
import { TIERS, type Tier } from "./tests.ts";

/** How the command is used. */
export const USAGE = `Usage: npm run test:tempest [-- OPTIONS]

Runs OpenStack's own tests, unmodified, against the Block Storage API: starts a Keystone and a Glance on 127.0.0.1, the embedded cloud with
the API, and Tempest with a configuration for them. Prints the tests that fail and a summary. Exits with 0 when none fails, with 1
when one does, and with 77 where the programs are not installed. They are Debian's packages:

  apt-get install --no-install-recommends keystone glance-api uwsgi-plugin-python3 tempest cinder-tempest-plugin

Options:
  --tier TIER     t1 (default): what a product must pass that creates volumes; t2: extensions, quotas, retypes, transfers and the like
  --only TEXT     only tests whose name contains the text
  --jobs N        processes of Tempest (default 2)
  --keep          keep configuration, logs and volumes
  --write         keep the result of each test in docs/tempest-results.json, from which docs/tempest.md is made
  --help

Examples:
  npm run test:tempest
  npm run test:tempest -- --only VolumesListTestJSON
  npm run test:tempest -- --tier t2 --only extend --keep
  npm run test:tempest -- --tier t2 --write
`;

/** Options of a run. */
export type Options = { tier: Tier; only: string | undefined; jobs: number; keep: boolean; write: boolean };

/** Reads the command line. */
export function readOptions(argv: readonly string[]): Options | "help" | { problem: string } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        tier: { type: "string", default: "t1" },
        only: { type: "string" },
        jobs: { type: "string", default: "2" },
        keep: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    return { problem: describeError(error).message };
  }
  const { tier, only, keep, write } = values;
  const jobs = Number(values.jobs);
  if (values.help) {
    return "help";
  }
  if (!isTier(tier)) {
    return { problem: `--tier must be one of ${TIERS.join(", ")}, not '${tier}'` };
  }
  if (!Number.isSafeInteger(jobs) || jobs < 1) {
    return { problem: `--jobs must be a whole number from 1, not '${values.jobs}'` };
  }
  if (write && only !== undefined) {
    return { problem: "--write needs the whole tier: leave --only out" };
  }
  return { tier, only, jobs, keep, write };
}

function isTier(text: string): text is Tier {
  return (TIERS as readonly string[]).includes(text);
}
