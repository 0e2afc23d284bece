import { useState } from "preact/hooks";
import type { DeadLetterRecord } from "../../../core/dead-letters/dead-letters.ts";
import type { DeadLettersAnswer } from "../wire.ts";
import { usePoll } from "./api.ts";
import { ActionButton, Ago, Badge, FailureBanner, type Notice, NoticeBar, pretty, Text } from "./parts.tsx";

/** Messages that the scheduler could not take. */
export function DeadLettersPage() {
  const { body, failure, refresh } = usePoll<DeadLettersAnswer>("/api/dead-letters", 1500);
  const [notice, setNotice] = useState<Notice | null>(null);
  const onDone = (told: Notice): void => {
    setNotice(told);
    refresh();
  };
  return (
    <>
      <div class="heading">
        <h1>Dead letters</h1>
        {body === undefined ? null : <p class="muted">{body.letters.length} kept</p>}
      </div>
      <NoticeBar notice={notice} onClose={() => setNotice(null)} />
      {failure === null ? null : <FailureBanner failure={failure} />}
      {body === undefined && failure === null ? <p class="muted">Reading…</p> : null}
      {body?.letters.length === 0 ? (
        <p class="card empty">There are none: every message reached the scheduler.</p>
      ) : null}
      {body?.letters.map((letter) => (
        <Letter key={letter.id} letter={letter} onDone={onDone} />
      ))}
    </>
  );
}

function Letter({ letter, onDone }: { letter: DeadLetterRecord; onDone: (notice: Notice) => void }) {
  const heading = `letter-${letter.id}`;
  return (
    <section class="card letter" aria-labelledby={heading}>
      <div class="heading">
        <h2 id={heading}>
          <Text>{letter.reason}</Text>
        </h2>
        <div class="actions">
          <ActionButton
            label="Resend"
            question="Send this message again?"
            explanation="It is sent as a new attempt of its volume, which must be in error with nothing of it on a backend."
            path={`/api/dead-letters/${letter.id}/resend`}
            done="The message was sent again."
            onDone={onDone}
          />
          <ActionButton
            label="Discard"
            question="Discard this message for good?"
            explanation="It cannot be sent again then. Its volume stays as it is."
            path={`/api/dead-letters/${letter.id}/discard`}
            done="The message was discarded."
            danger
            onDone={onDone}
          />
        </div>
      </div>
      <p>
        {letter.redriven_at === null ? null : <Badge status="done" detail="sent again" />}{" "}
        {letter.volume_id === null ? (
          <span class="muted">names no volume</span>
        ) : (
          <>
            Volume{" "}
            <a class="mono" href={`#/volumes/${encodeURIComponent(letter.volume_id)}`}>
              <Text>{letter.volume_id}</Text>
            </a>
          </>
        )}
        <span class="muted">
          {" "}
          · kept <Ago at={letter.kept_at} /> · received{" "}
          {letter.received_count === 1 ? "once" : `${letter.received_count} times`}
        </span>
      </p>
      <details open>
        <summary>Message</summary>
        {/* Keys scroll only what they can reach. */}
        <pre tabIndex={0} aria-label="Message">
          {pretty(letter.body)}
        </pre>
      </details>
    </section>
  );
}
