import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { formatDuration, formatTime } from "../../format.ts";
import type { Brief, ConnectionAnswer, VolumeAnswer } from "../wire.ts";
import { type Outcome, request } from "./api.ts";
import { Badge, CopyButton, FailureBanner, Text } from "./parts.tsx";

/** The record's fields of the volume. */
export function Facts({ answer }: { answer: VolumeAnswer }) {
  const { volume, volume_type: type, source, now } = answer;
  const facts: [string, ComponentChildren][] = [
    ["Size", `${volume.size} GiB`],
    ["Host", <Text>{volume.host}</Text>],
    ["Zone", <Text>{volume.availability_zone}</Text>],
    ["Type", <Text>{type ?? volume.volume_type_id}</Text>],
    ["Source", <Text>{source}</Text>],
    ["Bootable", volume.bootable ? "yes" : "no"],
    ["Project", <Text>{volume.project_id}</Text>],
    ["User", <Text>{volume.user_id}</Text>],
    ["Created", formatTime(volume.created_at)],
    ["Launched", volume.launched_at === null ? <Text>{null}</Text> : formatTime(volume.launched_at)],
    ...(volume.deadline === null
      ? []
      : ([["Deadline", deadlineText(volume.deadline, now)]] satisfies [string, ComponentChildren][])),
    ...(volume.display_description === null
      ? []
      : ([["Description", <Text>{volume.display_description}</Text>]] satisfies [string, ComponentChildren][])),
    ...(volume.provider_location === null
      ? []
      : ([["Location", <Text>{volume.provider_location}</Text>]] satisfies [string, ComponentChildren][])),
  ];
  return (
    <section class="card" aria-labelledby="facts">
      <h2 id="facts">Details</h2>
      <Pairs pairs={facts} />
      <Map title="Metadata" map={volume.metadata} />
      <Map title="Image metadata" map={volume.glance_metadata} />
    </section>
  );
}

/** The net that decides the volume if it does not progress any more, and the time. */
function deadlineText(deadline: string, now: string): string {
  const left = Date.parse(deadline) - Date.parse(now);
  return left > 0
    ? `the sweep decides in ${formatDuration(left)}`
    : `passed ${formatDuration(-left)} ago; the sweep decides next`;
}

function Pairs({ pairs }: { pairs: readonly [string, ComponentChildren][] }) {
  return (
    <dl>
      {pairs.map(([name, value]) => (
        <div key={name}>
          <dt>
            <Text>{name}</Text>
          </dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Map({ title, map }: { title: string; map: Readonly<Record<string, string>> }) {
  const entries = Object.entries(map).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return entries.length === 0 ? null : (
    <>
      <h3>{title}</h3>
      <Pairs pairs={entries.map(([key, value]) => [key, <Text>{value}</Text>])} />
    </>
  );
}

/** Dependents of the volume. */
export function Dependents({ answer: { snapshots, copies } }: { answer: VolumeAnswer }) {
  if (snapshots.length + copies.length === 0) {
    return null;
  }
  return (
    <section class="card" aria-labelledby="dependents">
      <h2 id="dependents">Dependents</h2>
      <BriefList title="Snapshots" things={snapshots} />
      <BriefList title="Being copied to" things={copies} areVolumes />
    </section>
  );
}

function BriefList(props: { title: string; things: readonly Brief[]; areVolumes?: boolean }) {
  const { title, things, areVolumes = false } = props;
  return things.length === 0 ? null : (
    <>
      <h3>{title}</h3>
      <ul class="briefs">
        {things.map(({ id, name, status }) => (
          <li key={id}>
            {areVolumes ? (
              <a href={`#/volumes/${id}`}>
                <Text>{name ?? id}</Text>
              </a>
            ) : (
              <span title={id}>
                <Text>{name ?? id}</Text>
              </span>
            )}
            <Badge status={status} />
          </li>
        ))}
      </ul>
    </>
  );
}

/** Shell commands. The driver is asked for the connection on demand. */
export function Commands({ answer }: { answer: VolumeAnswer }) {
  const { volume, commands, may_connect: mayConnect } = answer;
  const [outcome, setOutcome] = useState<Outcome<ConnectionAnswer> | null>(null);
  const [isBusy, setBusy] = useState(false);
  const ask = async (): Promise<void> => {
    setBusy(true);
    setOutcome(await request<ConnectionAnswer>(`/api/volumes/${volume.id}/connection`));
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="commands">
      <h2 id="commands">Commands</h2>
      {!mayConnect || outcome?.kind === "body" ? null : (
        <p>
          <button type="button" disabled={isBusy} onClick={() => void ask()}>
            {isBusy ? "Asking the driver…" : "Mount and QEMU commands"}
          </button>
        </p>
      )}
      {outcome?.kind === "failure" ? <FailureBanner failure={outcome.failure} /> : null}
      {[...(outcome?.kind === "body" ? outcome.body.commands : []), ...commands].map(({ title, command }) => (
        <div key={title} class="command">
          <h3>{title}</h3>
          <CopyButton text={command} label={`Copy the command: ${title}`} />
          {/* Its end may be out of sight, and keys scroll only what they can reach. */}
          <pre tabIndex={0} aria-label={title}>
            {command}
          </pre>
        </div>
      ))}
    </section>
  );
}
