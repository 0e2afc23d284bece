import type { ApiDependencies } from "../dependencies.ts";
import type { Answer, Call } from "../http.ts";
import { allVolumes } from "./list.ts";

/** Microversion from which the summary has the metadata. */
const METADATA = 36;

/** `GET /volumes/summary`: number and size of the volumes, and each metadata key with its values. */
export async function summarizeVolumes(deps: ApiDependencies, call: Call): Promise<Answer> {
  const volumes = await allVolumes(deps, call);
  const metadata: Record<string, string[]> = {};
  for (const [key, value] of volumes.flatMap((volume) => Object.entries(volume.metadata))) {
    const values = (metadata[key] ??= []);
    if (!values.includes(value)) {
      values.push(value);
    }
  }
  return {
    status: 200,
    body: {
      "volume-summary": {
        total_count: volumes.length,
        total_size: volumes.reduce((sum, { size }) => sum + size, 0),
        ...(call.version >= METADATA && { metadata }),
      },
    },
  };
}
