import path from "node:path";

/** The backend that fails, and the name of its pool in a volume's record. */
export const FLAKY_HOST = "demo@flaky";

/** Zone of the two working backends. A volume that names no zone may be placed on any backend. */
export const SOUND_ZONE = "nova";

/**
 * Three backends, each a directory. The failing one has the most room, so the scheduler prefers it for every volume without an availability
 * zone.
 *
 * @param error the error of its first create
 */
export function demoBackends(directory: string, error: string): Record<string, unknown>[] {
  const sound = ["first", "second"].map((name) => ({
    host: `demo@${name}`,
    driver: "file",
    availability_zone: SOUND_ZONE,
    options: { directory: path.join(directory, name), capacity_gb: 100 },
    capabilities: { volume_backend_name: name },
  }));
  const flaky = {
    host: FLAKY_HOST,
    driver: "fault",
    availability_zone: "edge",
    options: {
      driver: "file",
      options: { directory: path.join(directory, "flaky"), capacity_gb: 1000 },
      state_directory: path.join(directory, "flaky.faults"),
      faults: [{ call: "createVolume", error, message: "the array answered 503 Service Unavailable", times: 1 }],
    },
    capabilities: { volume_backend_name: "flaky" },
  };
  return [...sound, flaky];
}
