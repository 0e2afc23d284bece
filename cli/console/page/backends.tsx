import { formatCapacity } from "../../format.ts";
import type { Backend, BackendsAnswer } from "../wire.ts";
import { usePoll } from "./api.ts";
import { Ago, Badge, FailureBanner, Text } from "./parts.tsx";

/** Every pool: what it holds, and whether volumes are placed on it. */
export function BackendsPage() {
  const { body, failure } = usePoll<BackendsAnswer>("/api/backends");
  return (
    <>
      <div class="heading">
        <h1>Backends</h1>
        {body === undefined ? null : <p class="muted">{body.backends.length} pools</p>}
      </div>
      {failure === null ? null : <FailureBanner failure={failure} />}
      {body === undefined && failure === null ? <p class="muted">Reading…</p> : null}
      {body?.backends.length === 0 ? (
        <p class="card empty">No backend has reported yet. The log of the function ReportBackends says why.</p>
      ) : null}
      <div class="pools">
        {body?.backends.map((backend) => (
          <Pool key={backend.host} backend={backend} requests={body.requests} />
        ))}
      </div>
    </>
  );
}

function Pool({ backend, requests }: { backend: Backend; requests: number }) {
  const { total_capacity_gb: total, free_capacity_gb: free, provisioned_capacity_gb: provisioned } = backend;
  const id = `pool-${backend.host}`;
  return (
    <section class="card pool" aria-labelledby={id}>
      <h2 id={id}>
        <Text>{backend.host}</Text>
      </h2>
      <p>
        <Badge status={backend.state} />{" "}
        <span class="muted">
          <Text>{backend.driver}</Text> · <Text>{backend.availability_zone}</Text> · reported{" "}
          <Ago at={backend.reported_at} />
        </span>
      </p>
      {typeof total === "number" && typeof free === "number" && total > 0 ? (
        <Usage backend={backend} total={total} free={Math.max(0, free)} />
      ) : (
        <p class="muted">
          total {formatCapacity(total)}, free {formatCapacity(free)}
        </p>
      )}
      <dl class="figures">
        <Figure name="Free" value={`${formatCapacity(typeof free === "number" ? Math.max(0, free) : free)} GiB`} />
        <Figure name="Allocated" value={`${formatCapacity(backend.allocated_capacity_gb)} GiB`} />
        <Figure name="Provisioned" value={`${formatCapacity(provisioned)} GiB`} />
        <Figure
          name="Claimed"
          value={`${formatCapacity(backend.claimed_gb)} GiB in ${backend.claims} ${backend.claims === 1 ? "claim" : "claims"}`}
        />
        <Figure name="Over-subscription" value={subscriptionOf(backend)} />
        <Figure name="Volumes" value={backend.volumes.toLocaleString("en")} />
      </dl>
      <Skips backend={backend} requests={requests} />
    </section>
  );
}

/** Why the scheduler does not choose the pool. */
function Skips({ backend, requests }: { backend: Backend; requests: number }) {
  if (backend.skips.length === 0) {
    return requests === 0 ? null : <p class="muted">It would take each of the {requests} newest requests now.</p>;
  }
  return (
    <details>
      <summary>
        Skipped now for {backend.skips.length} of the {requests} newest requests
      </summary>
      <ul class="story">
        {backend.skips.map((skip) => (
          <li key={skip.volume_id}>
            <a href={`#/volumes/${skip.volume_id}`}>
              <Text>{skip.name ?? skip.volume_id}</Text>
            </a>
            : <Text>{`${skip.filter}: ${skip.reason}`}</Text>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Usage({ backend, total, free }: { backend: Backend; total: number; free: number }) {
  const claimed = Math.min(backend.claimed_gb, total);
  const used = Math.max(0, Math.min(total, total - free) - claimed);
  const percent = (amount: number): string => `${((amount / total) * 100).toFixed(2)}%`;
  const label = `${formatCapacity(used)} GiB used and ${formatCapacity(claimed)} GiB claimed of ${formatCapacity(total)} GiB`;
  return (
    <>
      <div class="usage" role="img" aria-label={label}>
        <span class="used" style={{ width: percent(used) }} />
        <span class="claimed" style={{ width: percent(claimed) }} />
      </div>
      <p class="muted usage-text">{label}</p>
    </>
  );
}

/** The provisioned capacity, relative to the total, and its limit. */
function subscriptionOf(backend: Backend): string {
  const { total_capacity_gb: total, provisioned_capacity_gb: provisioned } = backend;
  const now = typeof total === "number" && total > 0 ? `${(provisioned / total).toFixed(2)} ×` : "unknown";
  const most = backend.thin_provisioning_support ? backend.max_over_subscription_ratio : 1;
  return most === null ? `${now}, bounded by the scheduler's default` : `${now} of ${formatCapacity(most)} × allowed`;
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
