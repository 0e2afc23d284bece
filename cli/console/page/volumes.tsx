import { useState } from "preact/hooks";
import { formatDuration } from "../../format.ts";
import { ROWS_ON_PAGE, type SortKey, type VolumeRow, type VolumesAnswer } from "../wire.ts";
import { usePoll } from "./api.ts";
import { Ago, Badge, Bars, CopyBar, FailureBanner, Text, toneOf } from "./parts.tsx";

type Query = { search: string; status: string; sort: SortKey; isDescending: boolean; page: number };

const COLUMNS: { key: SortKey; title: string; class: string }[] = [
  { key: "name", title: "Name", class: "" },
  { key: "status", title: "Status", class: "" },
  { key: "size", title: "Size", class: "number" },
  { key: "host", title: "Host", class: "wide" },
  { key: "project_id", title: "Project", class: "wide" },
  { key: "created_at", title: "Created", class: "middle" },
];

/** Columns that are read from their largest value down. */
const DESCENDING_FIRST: readonly SortKey[] = ["created_at", "size"];

/** With the time of a reading, a change is shown within two seconds. */
const POLL_MILLISECONDS = 1500;

/** All volumes: how many of each status, which are being created, and the list. */
export function VolumesPage() {
  const [query, setQuery] = useState<Query>({
    search: "",
    status: "",
    sort: "created_at",
    isDescending: true,
    page: 1,
  });
  const { body, failure } = usePoll<VolumesAnswer>(pathOf(query), POLL_MILLISECONDS);
  const change = (changes: Partial<Query>): void => setQuery((before) => ({ ...before, page: 1, ...changes }));
  const told = failure ?? body?.failure ?? null;
  return (
    <>
      <div class="heading">
        <h1>Volumes</h1>
        {body === undefined ? null : (
          <p class="muted">
            {body.total.toLocaleString("en")} in all
            {body.complete ? null : ", still reading"}
          </p>
        )}
      </div>
      {told === null ? null : (
        <FailureBanner failure={told}>
          {body?.read_at ? (
            <span>
              What is shown was read <Ago at={body.read_at} />.
            </span>
          ) : null}
        </FailureBanner>
      )}
      {body === undefined ? (
        <p class="muted">Reading…</p>
      ) : (
        <>
          {body.unreadable === 0 ? null : (
            <div class="banner warn" role="status">
              {body.unreadable} records cannot be read and are not shown. An audit names them.
            </div>
          )}
          <Overview answer={body} status={query.status} onStatus={(status) => change({ status })} />
          <Creates answer={body} />
          <List answer={body} query={query} change={change} />
        </>
      )}
    </>
  );
}

function pathOf({ search, status, sort, isDescending, page }: Query): string {
  const direction = isDescending ? "desc" : "asc";
  return `/api/volumes?${new URLSearchParams({ search, status, sort: `${sort}:${direction}`, page: String(page) })}`;
}

function Overview(props: { answer: VolumesAnswer; status: string; onStatus: (status: string) => void }) {
  const { answer, status, onStatus } = props;
  const counts = Object.entries(answer.counts).toSorted(([, one], [, other]) => other - one);
  const created = answer.created_per_minute.reduce((sum, count) => sum + count, 0);
  return (
    <div class="overview">
      <div class="tiles" role="group" aria-label="Volumes by status">
        <Tile label="all" count={answer.total} tone="" isPressed={status === ""} onClick={() => onStatus("")} />
        {counts.map(([name, count]) => (
          <Tile
            key={name}
            label={name}
            count={count}
            tone={toneOf(name)}
            isPressed={status === name}
            onClick={() => onStatus(status === name ? "" : name)}
          />
        ))}
      </div>
      <div class="card rate">
        <p>
          <b>{created.toLocaleString("en")}</b> created in {answer.created_per_minute.length} min
        </p>
        <Bars
          counts={answer.created_per_minute}
          label={`Volumes created in each of the last ${answer.created_per_minute.length} minutes, ${created} in all`}
        />
      </div>
      <Durations perMinute={answer.create_seconds_per_minute} />
    </div>
  );
}

/** How long creates take, by the minute in which they ended. */
function Durations({ perMinute }: { perMinute: readonly (number | null)[] }) {
  const known = perMinute.filter((seconds) => seconds !== null);
  const last = known.at(-1);
  return (
    <div class="card rate">
      <p>
        {last === undefined ? (
          <>no create ended in {perMinute.length} min</>
        ) : (
          <>
            <b>{formatDuration(last * 1000)}</b> a create, median
          </>
        )}
      </p>
      <Bars
        counts={perMinute.map((seconds) => seconds ?? 0)}
        label={`Median time of the creates that ended in each of the last ${perMinute.length} minutes, ${
          last === undefined ? "none ended" : `${formatDuration(last * 1000)} at last`
        }`}
      />
    </div>
  );
}

function Tile(props: { label: string; count: number; tone: string; isPressed: boolean; onClick: () => void }) {
  const { label, count, tone, isPressed, onClick } = props;
  return (
    <button type="button" class={`tile ${tone}`} aria-pressed={isPressed} onClick={onClick}>
      <b>{count.toLocaleString("en")}</b> <span>{label}</span>
    </button>
  );
}

function Creates({ answer }: { answer: VolumesAnswer }) {
  if (answer.creates_total === 0) {
    return null;
  }
  const more = answer.creates_total - answer.creates.length;
  return (
    <section class="card" aria-labelledby="creates">
      <h2 id="creates">
        Being created <span class="count">{answer.creates_total}</span>
      </h2>
      <ul class="creates">
        {answer.creates.map((volume) => (
          <li key={volume.id}>
            <span class="what">
              <VolumeLink volume={volume} />
              <small class="muted">
                attempt {Math.max(1, volume.attempt)} · <Ago at={volume.created_at} />
              </small>
            </span>
            <span class="where">
              <Text>{volume.host ?? "waits for the scheduler"}</Text>
            </span>
            {volume.copy === null ? (
              <Badge status={volume.phase ?? volume.status} />
            ) : (
              <CopyBar copy={volume.copy} label={`Copy of ${volume.name ?? volume.id}`} />
            )}
          </li>
        ))}
      </ul>
      {more > 0 ? <p class="muted">and {more.toLocaleString("en")} more</p> : null}
    </section>
  );
}

function VolumeLink({ volume }: { volume: Pick<VolumeRow, "id" | "name"> }) {
  return (
    <a href={`#/volumes/${volume.id}`}>
      {volume.name === null || volume.name.trim() === "" ? (
        <span class="mono">{volume.id}</span>
      ) : (
        <Text>{volume.name}</Text>
      )}
    </a>
  );
}

type Change = (changes: Partial<Query>) => void;

function List({ answer, query, change }: { answer: VolumesAnswer; query: Query; change: Change }) {
  const pages = Math.max(1, Math.ceil(answer.matching / ROWS_ON_PAGE));
  return (
    <section class="card list" aria-label="List of volumes">
      <div class="tools">
        <input
          type="search"
          aria-label="Search by name, id, project, status or host"
          placeholder="Search name, id, project, status, host"
          value={query.search}
          onInput={({ currentTarget }) => change({ search: currentTarget.value })}
        />
        <p class="muted" role="status">
          {answer.matching.toLocaleString("en")} {answer.matching === 1 ? "volume" : "volumes"}
        </p>
      </div>
      {answer.rows.length === 0 ? (
        <Nothing answer={answer} />
      ) : (
        <table>
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <SortHeading key={column.key} column={column} query={query} change={change} />
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.rows.map((row) => (
              <Row key={row.id} row={row} />
            ))}
          </tbody>
        </table>
      )}
      {pages === 1 ? null : (
        <nav class="pages" aria-label="Pages of the list">
          <button type="button" disabled={query.page <= 1} onClick={() => change({ page: query.page - 1 })}>
            Previous
          </button>
          <span>
            Page {query.page} of {pages.toLocaleString("en")}
          </span>
          <button type="button" disabled={query.page >= pages} onClick={() => change({ page: query.page + 1 })}>
            Next
          </button>
        </nav>
      )}
    </section>
  );
}

function Nothing({ answer }: { answer: VolumesAnswer }) {
  if (answer.total > 0) {
    return <p class="empty">No volume matches. Try another word, or all statuses.</p>;
  }
  return answer.complete ? (
    <p class="empty">
      There is no volume yet. Create one: <code>npx cinderless create scratch --size 1</code>
    </p>
  ) : null;
}

function SortHeading(props: { column: (typeof COLUMNS)[number]; query: Query; change: Change }) {
  const { column, query, change } = props;
  const isSorted = query.sort === column.key;
  const isDescending = isSorted ? !query.isDescending : DESCENDING_FIRST.includes(column.key);
  return (
    <th
      scope="col"
      class={column.class}
      aria-sort={isSorted ? (query.isDescending ? "descending" : "ascending") : "none"}
    >
      <button type="button" onClick={() => change({ sort: column.key, isDescending })}>
        {column.title}
        <span class="arrow" aria-hidden="true">
          {isSorted ? (query.isDescending ? "↓" : "↑") : ""}
        </span>
      </button>
    </th>
  );
}

function Row({ row }: { row: VolumeRow }) {
  const isAtWork = row.phase !== null && row.fault === null;
  return (
    <tr>
      <th scope="row">
        <VolumeLink volume={row} />
        <small class="mono muted" title={row.id}>
          {row.id.slice(0, 8)}
          <span class="narrow"> · {row.size} GiB</span>
        </small>
        {row.fault === null ? null : (
          <small class="fault" title={row.fault}>
            <Text>{row.fault}</Text>
          </small>
        )}
      </th>
      <td>
        <Badge status={row.status} detail={isAtWork ? row.phase : null} />
      </td>
      <td class="number">{row.size} GiB</td>
      <td class="wide" title={row.host ?? undefined}>
        <Text>{row.host}</Text>
      </td>
      <td class="wide">
        <Text>{row.project_id}</Text>
      </td>
      <td class="middle">
        <Ago at={row.created_at} />
      </td>
    </tr>
  );
}
