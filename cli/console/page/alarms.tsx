import type { VNode } from "preact";
import type { AlarmsAnswer, ShownAlarm } from "../wire.ts";
import { usePoll } from "./api.ts";
import { Ago, Badge, FailureBanner, Text } from "./parts.tsx";

/** CloudWatch evaluates alarms once a minute, and each request of it is paid for. */
const POLL_MILLISECONDS = 15_000;

/** Present problems, with their remedies. */
export function AlarmsPage() {
  const { body, failure } = usePoll<AlarmsAnswer>("/api/alarms", POLL_MILLISECONDS);
  const alarms = body?.alarms ?? [];
  const on = alarms.filter(({ state }) => state === "ALARM");
  const others = alarms.filter(({ state }) => state !== "ALARM");
  return (
    <>
      <div class="heading">
        <h1>Alarms</h1>
        {body === undefined ? null : (
          <p class="muted" role="status">
            {on.length} of {alarms.length} on
          </p>
        )}
      </div>
      {failure === null ? null : <FailureBanner failure={failure} />}
      {body === undefined && failure === null ? <p class="muted">Reading…</p> : null}
      {body !== undefined && on.length === 0 ? <p class="card empty">Nothing is wrong: no alarm is on.</p> : null}
      {on.map((alarm) => (
        <Alarm key={alarm.name} alarm={alarm} />
      ))}
      {others.length === 0 ? null : (
        <section class="card" aria-labelledby="others">
          <h2 id="others">Not on</h2>
          <ul class="briefs">
            {others.map((alarm) => (
              <li key={alarm.name}>
                <span>
                  <b>
                    <Text>{alarm.title}</Text>
                  </b>{" "}
                  <small class="muted">
                    <Text>{alarm.what}</Text>
                  </small>
                </span>
                <Badge status={alarm.state === "OK" ? "ok" : "no data yet"} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Alarm({ alarm }: { alarm: ShownAlarm }) {
  const heading = `alarm-${alarm.name}`;
  return (
    <section class="card fault-card" aria-labelledby={heading}>
      <h2 id={heading}>
        <Text>{alarm.title}</Text>
      </h2>
      <p>
        <Text>{alarm.what}</Text>.
        {alarm.since === null ? null : (
          <span class="muted">
            {" "}
            On since <Ago at={alarm.since} />.
          </span>
        )}
      </p>
      <p class="muted">
        <Text>{alarm.reason}</Text>
      </p>
      {alarm.runbook === null ? null : (
        <details open>
          <summary>What to do</summary>
          <Markdown text={alarm.runbook} />
          <p class="muted">
            From <code>docs/runbook.md</code>.
          </p>
        </details>
      )}
    </section>
  );
}

/** Paragraphs and numbered lists, as the runbook has them; see {@link inline} for their text. */
function Markdown({ text }: { text: string }) {
  const blocks = text.split(/\n{2,}/);
  return (
    <div class="prose">
      {blocks.map((block) => {
        const items = block.split(/^\d+\. /m).slice(1);
        return items.length > 0 ? (
          <ol key={block}>
            {items.map((item) => (
              <li key={item}>{inline(item)}</li>
            ))}
          </ol>
        ) : (
          <p key={block}>{inline(block)}</p>
        );
      })}
    </div>
  );
}

/** Code keeps its form; of emphasis and links the text is left. */
function inline(markdown: string): (string | VNode)[] {
  const texts = markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").split("`");
  return texts.map((text, index) => {
    const line = text.replaceAll("**", "").replaceAll(/\s+/g, " ");
    return index % 2 === 1 ? <code key={index}>{line}</code> : line;
  });
}
