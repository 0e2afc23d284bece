import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { formatBytes, formatDuration } from "../../format.ts";
import { oneLine } from "../../safe-text.ts";
import type { CopyReading, Failure } from "../wire.ts";
import { request } from "./api.ts";

/** Parts of several pages. */

/** Stored text, which may hold anything: in one line, and of a direction of its own. */
export function Text({ children }: { children: string | null | undefined }) {
  return children === null || children === undefined || children === "" ? (
    <span class="none">–</span>
  ) : (
    <bdi>{oneLine(children)}</bdi>
  );
}

const TONES: Readonly<Record<string, string>> = {
  available: "good",
  migration_target: "good",
  "in-use": "good",
  up: "good",
  created: "good",
  done: "good",
  sent: "good",
  same: "good",
  differs: "bad",
  ok: "good",
  final: "bad",
  reschedulable: "warn",
  running: "busy",
  error: "bad",
  error_deleting: "bad",
  error_extending: "bad",
  failed: "bad",
  caught: "bad",
  down: "bad",
  rescheduled: "warn",
  deleting: "warn",
  disabled: "warn",
};

/** Colour by what a status means; whatever is under way is busy. */
export function toneOf(status: string): string {
  return TONES[status] ?? "busy";
}

/** A status in its colour; the word is always there. */
export function Badge({ status, detail }: { status: string; detail?: string | null }) {
  return (
    <span class={`badge ${toneOf(status)}`}>
      {oneLine(status)}
      {detail === null || detail === undefined || detail === status ? null : <small>{oneLine(detail)}</small>}
    </span>
  );
}

/** `3 min ago`, with the time itself for who asks. */
export function Ago({ at }: { at: string }) {
  const span = Date.now() - Date.parse(at);
  return (
    <time dateTime={at} title={at}>
      {span < 2000 ? "just now" : `${shortDuration(span)} ago`}
    </time>
  );
}

/** With its largest unit alone from a minute on. */
function shortDuration(milliseconds: number): string {
  const [amount, unit] = formatDuration(milliseconds).split(" ");
  return unit === "s" ? `${Math.round(Number(amount))} s` : `${amount ?? ""} ${unit ?? ""}`;
}

/** An error and its remedy. */
export function FailureBanner({ failure, children }: { failure: Failure; children?: ComponentChildren }) {
  return (
    <div class="banner bad" role="alert">
      <strong>
        <Text>{failure.name}</Text>
      </strong>
      <span>
        <Text>{failure.message}</Text>. {failure.hint === null ? null : <Text>{sentence(failure.hint)}</Text>}
      </span>
      {children}
    </div>
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** How far a copy is. */
export function CopyBar({ copy, label }: { copy: CopyReading; label: string }) {
  const { bytes_done: done, bytes_total: total, bytes_per_second: rate, eta_seconds: eta } = copy;
  const percent = total <= 0 ? 100 : Math.floor(Math.min(1, done / total) * 100);
  return (
    <div class="copy">
      <progress max={100} value={percent} aria-label={label}>
        {percent} %
      </progress>
      <span class="figures">
        <b>{percent} %</b> {formatBytes(done)} of {formatBytes(total)}
        {rate === null ? null : ` · ${formatBytes(rate)}/s`}
        {eta === null ? null : ` · ${eta < 60 ? `${eta} s` : formatDuration(eta * 1000)} left`}
      </span>
    </div>
  );
}

/** The result of a button, visible and for screen readers. */
export type Notice = { tone: "good" | "bad"; text: string };

/** A button that asks before its action, and reports the result. */
export function ActionButton(props: {
  label: string;
  question: string;
  explanation: string;
  path: string;
  done: string;
  danger?: boolean;
  onDone: (notice: Notice) => void;
}) {
  const { label, question, explanation, path, done, danger = false, onDone } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const act = async (): Promise<void> => {
    setBusy(true);
    const outcome = await request(path, "POST");
    setBusy(false);
    dialog.current?.close();
    onDone(
      outcome.kind === "failure"
        ? { tone: "bad", text: `${outcome.failure.name}: ${outcome.failure.message}` }
        : { tone: "good", text: done },
    );
  };
  return (
    <>
      <button type="button" class={danger ? "danger" : ""} onClick={() => dialog.current?.showModal()}>
        {label}
      </button>
      <dialog ref={dialog} aria-label={question}>
        <h2>
          <Text>{question}</Text>
        </h2>
        <p>{explanation}</p>
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="button" class={danger ? "danger solid" : "solid"} disabled={isBusy} onClick={() => void act()}>
            {isBusy ? "Working…" : label}
          </button>
        </div>
      </dialog>
    </>
  );
}

/** Shows the result of a button until it is dismissed. */
export function NoticeBar({ notice, onClose }: { notice: Notice | null; onClose: () => void }) {
  return (
    <div role="status" class="notices">
      {notice === null ? null : (
        <div class={`banner ${notice.tone}`}>
          <span>
            <Text>{notice.text}</Text>
          </span>
          <button type="button" class="quiet" onClick={onClose}>
            Dismiss
          </button>
        </div>
      )}
    </div>
  );
}

/** Copies a text; its own label says when that is done. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button type="button" class="quiet" aria-label={isCopied ? `${label}: copied` : label} onClick={() => void copy()}>
      {isCopied ? "Copied" : "Copy"}
    </button>
  );
}

/** Counts as bars, the last one of now. */
export function Bars({ counts, label }: { counts: readonly number[]; label: string }) {
  const most = Math.max(1, ...counts);
  return (
    <svg class="bars" viewBox={`0 0 ${counts.length * 4} 28`} preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map((count, index) => {
        const height = count === 0 ? 1 : Math.max(3, (count / most) * 28);
        // The bars have no other identity than their place.
        // oxlint-disable-next-line react/no-array-index-key
        return (
          <rect
            key={index}
            x={index * 4}
            y={28 - height}
            width="3"
            height={height}
            class={count === 0 ? "empty" : ""}
          />
        );
      })}
    </svg>
  );
}

/** JSON with its structure shown; any other text as it is, but for what acts on a page's direction. */
export function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
