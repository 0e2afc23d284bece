import { inFlight, percentile, type Rig, startRig } from "./rig.ts";

/** Raw creates with many in flight. */
export type ThroughputResult = {
  volumes: number;
  in_flight: number;
  seconds: number;
  creates_per_second: number;
  p50_ms: number;
  p99_ms: number;
  rss_mb_after: number;
};

/** Raw creates one at a time. */
export type LatencyResult = { volumes: number; p50_ms: number; p95_ms: number; max_ms: number };

const IN_FLIGHT = 32;

/** Creates that are not measured, because of the functions' cold starts and code that is not yet compiled. */
const WARM_UP_VOLUMES = 1000;

/** Puts all records before the clock starts: a create is measured from its message. */
export async function measureThroughput(rig: Rig, volumes: number): Promise<ThroughputResult> {
  const messages: Awaited<ReturnType<Rig["putRecord"]>>[] = [];
  await inFlight(Array.from({ length: volumes }), 8, async () => {
    messages.push(await rig.putRecord({ sizeGib: 1 }));
  });
  const latencies: number[] = [];
  const start = performance.now();
  await inFlight(messages, IN_FLIGHT, async (message) => {
    latencies.push(await rig.create(message));
  });
  const seconds = (performance.now() - start) / 1000;
  return {
    volumes,
    in_flight: IN_FLIGHT,
    seconds,
    creates_per_second: volumes / seconds,
    p50_ms: percentile(latencies, 0.5),
    p99_ms: percentile(latencies, 0.99),
    rss_mb_after: process.memoryUsage().rss / 1e6,
  };
}

async function measureLatency(rig: Rig, volumes: number): Promise<LatencyResult> {
  const latencies: number[] = [];
  for (let index = 0; index < volumes; index += 1) {
    latencies.push(await rig.create(await rig.putRecord({ sizeGib: 1 })));
  }
  return {
    volumes,
    p50_ms: percentile(latencies, 0.5),
    p95_ms: percentile(latencies, 0.95),
    max_ms: Math.max(...latencies),
  };
}

/** Raw creates from message to `available`: one at a time, then each of `sizes` with 32 in flight, in one cloud. */
export async function benchCreates(
  sizes: readonly number[],
): Promise<{ latency: LatencyResult; throughput: ThroughputResult[] }> {
  const rig = await startRig();
  try {
    await measureThroughput(rig, WARM_UP_VOLUMES);
    const latency = await measureLatency(rig, 100);
    const throughput: ThroughputResult[] = [];
    for (const volumes of sizes) {
      throughput.push(await measureThroughput(rig, volumes));
    }
    return { latency, throughput };
  } finally {
    await rig.stop();
  }
}
