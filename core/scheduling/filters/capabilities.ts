import { matchExtraSpec } from "../extra-specs.ts";
import { isMapping } from "../python-values.ts";
import { fails, PASSES, type Filter } from "./filter.ts";

/**
 * Every extra spec of the type must match the pool's report (`cinder/scheduler/filters/capabilities_filter.py`). Specs of another scope
 * than `capabilities` are for drivers and are ignored.
 */
export const capabilitiesFilter: Filter = {
  name: "CapabilitiesFilter",
  passes(pool, { resource_type: resourceType }) {
    const reason = whyUnfit(pool.capabilities, resourceType?.extra_specs ?? {});
    return reason === undefined ? PASSES : fails(reason);
  },
};

/** Why capabilities do not meet extra specs; undefined when they do. */
export function whyUnfit(capabilities: unknown, extraSpecs: Readonly<Record<string, unknown>>): string | undefined {
  for (const [key, requirement] of Object.entries(extraSpecs)) {
    const path = capabilityPath(key);
    const found = path === null ? undefined : lookUp(capabilities, path);
    if (path !== null && found === undefined) {
      return `does not report the capability ${key}`;
    }
    const values: unknown[] = Array.isArray(found) ? found : [found];
    if (path !== null && !values.some((value) => matchExtraSpec(value, requirement))) {
      return `reports ${key} as ${describeValue(found)}, the type wants ${describeValue(requirement)}`;
    }
  }
  return undefined;
}

/** The steps down into the capabilities; null for a key of a foreign scope. The bare key `capabilities` is all of them. */
function capabilityPath(key: string): string[] | null {
  const parts = key.split(":");
  if (parts[0] === "capabilities") {
    return parts.slice(1);
  }
  return parts.length > 1 ? null : parts;
}

/** Undefined if a step is missing. Only own keys count, or a spec named `constructor` would find something everywhere. */
function lookUp(capabilities: unknown, path: readonly string[]): unknown {
  let value = capabilities;
  for (const step of path) {
    if (!isMapping(value) || !Object.hasOwn(value, step)) {
      return undefined;
    }
    value = value[step];
  }
  return value;
}

/** Long values are cut: the reason ends in a fault that people read. */
const DESCRIBED_LENGTH = 80;

function describeValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= DESCRIBED_LENGTH ? text : `${text.slice(0, DESCRIBED_LENGTH)}...`;
}
