import { useState } from "preact/hooks";
import { formatDuration, formatTime } from "../../format.ts";
import type { VolumeAnswer } from "../wire.ts";
import { usePoll } from "./api.ts";
import { ActionButton, Badge, CopyBar, CopyButton, FailureBanner, type Notice, NoticeBar, Text } from "./parts.tsx";
import { Cost } from "./cost.tsx";
import { Commands, Dependents, Facts } from "./volume-facts.tsx";
import { Workflow } from "./workflow.tsx";

/** One volume. */
export function VolumePage({ id }: { id: string }) {
  const { body, failure, refresh } = usePoll<VolumeAnswer>(`/api/volumes/${id}`);
  const [notice, setNotice] = useState<Notice | null>(null);
  const onDone = (told: Notice): void => {
    setNotice(told);
    refresh();
  };
  const isGone = failure?.name === "VolumeNotFound";
  return (
    <>
      <p class="back">
        <a href="#/volumes">← Volumes</a>
      </p>
      <NoticeBar notice={notice} onClose={() => setNotice(null)} />
      {failure === null ? null : isGone && body !== undefined ? (
        <div class="banner warn" role="status">
          The volume is gone. What is shown is what it was at last.
        </div>
      ) : (
        <FailureBanner failure={failure} />
      )}
      {body === undefined ? (
        failure === null ? (
          <p class="muted">Reading…</p>
        ) : null
      ) : (
        <Volume answer={body} isGone={isGone} onDone={onDone} />
      )}
    </>
  );
}

type VolumeProps = { answer: VolumeAnswer; isGone: boolean; onDone: (notice: Notice) => void };

function Volume({ answer, isGone, onDone }: VolumeProps) {
  const { volume, copy } = answer;
  const numbers = Object.keys(volume.attempts).toSorted((one, other) => Number(other) - Number(one));
  const [chosen, setChosen] = useState<string | null>(null);
  const shown = chosen !== null && numbers.includes(chosen) ? chosen : numbers[0];
  const attempt = shown === undefined ? undefined : volume.attempts[shown];
  return (
    <>
      <div class="heading">
        <h1>
          <Text>{volume.display_name ?? volume.id}</Text>
        </h1>
        <Badge status={volume.status} detail={volume.fault === null ? volume.phase : null} />
        {isGone ? null : <Actions answer={answer} onDone={onDone} />}
      </div>
      <p class="id">
        <span class="mono">{volume.id}</span> <CopyButton text={volume.id} label="Copy the id" />
      </p>
      <div class="columns">
        <div>
          <Fault answer={answer} />
          {copy === null ? null : (
            <section class="card" aria-labelledby="copy">
              <h2 id="copy">Image copy</h2>
              <CopyBar copy={copy} label="Copy of the image" />
            </section>
          )}
          <Attempts answer={answer} shown={shown} onChosen={setChosen} />
          {shown === undefined || attempt === undefined ? null : (
            <Workflow
              volumeId={volume.id}
              attempt={shown}
              execution={attempt.execution}
              isLive={attempt.outcome === "running"}
            />
          )}
        </div>
        <div>
          <Facts answer={answer} />
          <Dependents answer={answer} />
          {shown === undefined ? null : <Cost volumeId={volume.id} />}
          <Commands answer={answer} />
        </div>
      </div>
    </>
  );
}

function Actions({ answer, onDone }: Omit<VolumeProps, "isGone">) {
  const { volume, may_retry: mayRetry, may_delete: mayDelete, reset_to: resetTo, letter } = answer;
  const name = volume.display_name ?? volume.id;
  const isBeingCreated = volume.deadline !== null && volume.status !== "error";
  return (
    <div class="actions">
      {mayRetry ? (
        <ActionButton
          label="Retry"
          question={`Ask for ${name} again?`}
          explanation="The volume keeps its id and its attempts, and the scheduler chooses a backend again."
          path={`/api/volumes/${volume.id}/retry`}
          done="The volume was asked for again."
          onDone={onDone}
        />
      ) : null}
      {resetTo === null ? null : (
        <ActionButton
          label={`Reset to ${resetTo}`}
          question={`Set the status of ${name} to ${resetTo}?`}
          explanation={
            resetTo === "available"
              ? "Nothing is repaired: use it only when you know that the backend holds the whole volume."
              : "A create or an extension that is under way is given up, and nothing is removed from the backend."
          }
          path={`/api/volumes/${volume.id}/reset-to-${resetTo}`}
          done={`The status of the volume is ${resetTo}.`}
          danger
          onDone={onDone}
        />
      )}
      {letter === null ? null : (
        <ActionButton
          label="Redrive"
          question={`Send the dead letter of ${name} again?`}
          explanation="The message that the scheduler could not take is sent as a new attempt. Nothing of the volume may be on a backend."
          path={`/api/dead-letters/${letter}/resend`}
          done="The dead letter was sent again."
          onDone={onDone}
        />
      )}
      {mayDelete ? (
        <ActionButton
          label="Delete"
          question={`Delete ${name}?`}
          explanation={
            isBeingCreated
              ? "Its create ends at the next step, and what it made is removed."
              : "The volume and its data are removed for good."
          }
          path={`/api/volumes/${volume.id}/delete`}
          done="The volume is deleted, or will be when its create has ended."
          danger
          onDone={onDone}
        />
      ) : null}
    </div>
  );
}

function Fault({ answer: { volume, error } }: { answer: VolumeAnswer }) {
  const { fault } = volume;
  if (fault === null) {
    return null;
  }
  return (
    <section class="card fault-card" aria-labelledby="fault">
      <h2 id="fault">
        <Text>{fault.error}</Text>
      </h2>
      <p class="cause">
        <Text>{fault.cause}</Text>
      </p>
      {fault.attempts.length === 0 ? null : (
        <ul class="story" aria-label="Errors of earlier attempts">
          {fault.attempts.map((line) => (
            <li key={line}>
              <Text>{line}</Text>
            </li>
          ))}
        </ul>
      )}
      {error === null ? null : (
        <details>
          <summary>Meaning</summary>
          {error.meaning === null ? null : <p>{error.meaning}</p>}
          <p>
            <b>{error.route}.</b> {error.consequence}
          </p>
          <p>
            <a href={`#/errors/${encodeURIComponent(error.name)}`}>All about {error.name}, and the other errors</a>
          </p>
          <p class="muted">
            From <code>docs/errors.md</code>; <code>docs/troubleshooting.md</code> says what to do.
          </p>
        </details>
      )}
    </section>
  );
}

type AttemptsProps = { answer: VolumeAnswer; shown: string | undefined; onChosen: (number: string) => void };

function Attempts({ answer: { volume, now }, shown, onChosen }: AttemptsProps) {
  const attempts = Object.entries(volume.attempts).toSorted(([one], [other]) => Number(other) - Number(one));
  return (
    <section class="card" aria-labelledby="attempts">
      <h2 id="attempts">
        Attempts <span class="count">{attempts.length}</span>
      </h2>
      {attempts.length === 0 ? (
        <p class="muted">
          {volume.status === "error"
            ? "None: no backend was chosen."
            : "None yet: the request waits for the scheduler."}
        </p>
      ) : null}
      <ol class="timeline" reversed>
        {attempts.map(([number, attempt]) => (
          <li key={number} class={attempt.outcome}>
            <button type="button" aria-pressed={shown === number} onClick={() => onChosen(number)}>
              <b>Attempt {number}</b> <Badge status={attempt.outcome} />
            </button>
            <p>
              on <Text>{attempt.host}</Text>, {attempt.outcome === "running" ? "for" : "after"}{" "}
              {formatDuration(Date.parse(attempt.ended_at ?? now) - Date.parse(attempt.started_at))}
              <span class="muted"> · {formatTime(attempt.started_at)}</span>
            </p>
            {attempt.error === undefined ? null : (
              <p class="cause">
                <Text>{`${attempt.error}: ${attempt.cause ?? ""}`}</Text>
              </p>
            )}
            {attempt.suspected_orphan === true ? (
              <p class="suspect">Something of the volume may be left on this backend. An audit looks for it.</p>
            ) : null}
          </li>
        ))}
      </ol>
    </section>
  );
}
