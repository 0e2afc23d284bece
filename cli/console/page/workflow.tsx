import { useEffect, useRef, useState } from "preact/hooks";
import { formatDuration, formatTime } from "../../format.ts";
import type { ExecutionAnswer, NotificationSent, StateData, WorkflowStep } from "../wire.ts";
import { type Outcome, request, usePoll } from "./api.ts";
import { Badge, FailureBanner, pretty, Text } from "./parts.tsx";
import { Replay } from "./replay.tsx";

/** The workflow with what became of each state in one attempt, and the same as a list. */
export function Workflow(props: { volumeId: string; attempt: string; execution: string; isLive: boolean }) {
  const { volumeId, attempt, execution, isLive } = props;
  const [isOver, setOver] = useState<string | null>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  useEffect(() => setChosen(null), [execution]);
  const path = `/api/volumes/${volumeId}/executions/${encodeURIComponent(execution)}`;
  // An ended execution does not change any more.
  const { body, failure } = usePoll<ExecutionAnswer>(path, isOver === execution ? 60_000 : 1000);
  const steps = body?.execution === execution ? body.steps : undefined;
  useEffect(() => {
    const last = steps?.at(-1);
    if (!isLive && last !== undefined && last.outcome !== "running") {
      setOver(execution);
    }
  }, [steps, isLive, execution]);
  return (
    <section class="card" aria-labelledby="workflow">
      <h2 id="workflow">Workflow of attempt {attempt}</h2>
      {failure === null ? null : <FailureBanner failure={failure} />}
      {steps === null ? (
        <p class="muted">This execution is not known any more: Step Functions keeps histories for 90 days.</p>
      ) : null}
      <Graph steps={steps ?? []} onChosen={(state) => setChosen(indexOf(steps ?? [], state))} />
      <p class="legend" aria-hidden="true">
        <span class="done">done</span>
        <span class="running">running</span>
        <span class="retried">done, after a retry</span>
        <span class="caught">failed</span>
      </p>
      {steps === undefined || steps === null ? null : (
        <StepList
          path={path}
          steps={steps}
          chosen={chosen}
          onChosen={(index) => setChosen(index === chosen ? null : index)}
        />
      )}
      <Notifications sent={body?.execution === execution ? body.notifications : []} />
      {isLive || steps === null || steps === undefined ? null : <Replay volumeId={volumeId} execution={execution} />}
    </section>
  );
}

/** The colour of a state: that of its last visit. */
function markOf({ outcome, error }: WorkflowStep): string {
  return outcome === "done" && error !== null ? "retried" : outcome;
}

/** The last visit of a state; null when the execution was not there. */
function indexOf(steps: readonly WorkflowStep[], state: string): number | null {
  const index = steps.findLastIndex((step) => step.state === state);
  return index < 0 ? null : index;
}

type GraphProps = { steps: readonly WorkflowStep[]; onChosen: (state: string) => void };

function Graph({ steps, onChosen }: GraphProps) {
  const place = useRef<HTMLDivElement>(null);
  const [isDrawn, setDrawn] = useState(false);
  useEffect(() => {
    const draw = async (): Promise<void> => {
      const response = await fetch("/create-volume.svg");
      const svg = new DOMParser().parseFromString(await response.text(), "image/svg+xml").documentElement;
      place.current?.replaceChildren(document.importNode(svg, true));
      setDrawn(true);
    };
    void draw().catch(() => {});
  }, []);
  useEffect(() => {
    const marks = new Map(steps.map((step) => [step.state, markOf(step)]));
    for (const node of place.current?.querySelectorAll<SVGGElement>("g.node") ?? []) {
      const mark = marks.get(nameOf(node));
      if (mark === undefined) {
        delete node.dataset["mark"];
      } else {
        node.dataset["mark"] = mark;
      }
    }
  }, [steps, isDrawn]);
  const choose = ({ target }: Event): void => {
    const node = target instanceof Element ? target.closest("g.node") : null;
    onChosen(nameOf(node));
  };
  // The list below, which keys and screen readers reach, has the same content and actions.
  return <div ref={place} class="graph" aria-hidden="true" onClick={choose} />;
}

function nameOf(node: Element | null): string {
  return node?.querySelector("text")?.textContent?.trim() ?? "";
}

type StepListProps = {
  /** Data of the execution. */
  path: string;
  steps: readonly WorkflowStep[];
  chosen: number | null;
  onChosen: (index: number) => void;
};

function StepList({ path, steps, chosen, onChosen }: StepListProps) {
  return (
    <table class="steps">
      <caption>States in their order; press one for its input and output</caption>
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Outcome</th>
          <th scope="col" class="number calls">
            Calls
          </th>
          <th scope="col" class="number">
            Time
          </th>
        </tr>
      </thead>
      <tbody>
        {steps.map((step, index) => [
          <tr key={`${step.state} ${step.entered_at}`}>
            <th scope="row">
              <button type="button" class="link" aria-expanded={chosen === index} onClick={() => onChosen(index)}>
                {step.state}
              </button>
              {step.error === null ? null : (
                <small class="fault">
                  <Text>{causeText(step)}</Text>
                </small>
              )}
            </th>
            <td>
              <Badge status={step.outcome} />
            </td>
            <td class="number calls">{step.calls === 0 ? "" : step.calls}</td>
            <td class="number">{durationOf(step)}</td>
          </tr>,
          chosen === index ? (
            <tr key={`data ${step.entered_at}`}>
              <td colSpan={4}>
                <StateDetail key={`${path} ${index}`} path={`${path}?state=${index}`} step={step} />
              </td>
            </tr>
          ) : null,
        ])}
      </tbody>
    </table>
  );
}

/** The input and output of the state. It is asked for once more when the state has been left. */
function StateDetail({ path, step }: { path: string; step: WorkflowStep }) {
  const [outcome, setOutcome] = useState<Outcome<StateData> | null>(null);
  useEffect(() => void request<StateData>(path).then(setOutcome), [path, step.left_at]);
  if (outcome === null) {
    return <p class="muted">Reading…</p>;
  }
  if (outcome.kind === "failure") {
    return <FailureBanner failure={outcome.failure} />;
  }
  const { input = null, output = null } = outcome.kind === "body" ? outcome.body : {};
  const parts: [string, string | null][] = [
    ["Input", input],
    ["Output", output],
    ["Cause", step.cause],
  ];
  return (
    <div class="detail">
      <p class="muted">
        Entered {formatTime(step.entered_at)}, {step.left_at === null ? "for" : "left after"} {durationOf(step)}.
      </p>
      {parts.map(([title, text]) =>
        text === null ? null : (
          <section key={title} aria-label={`${title} of ${step.state}`}>
            <h3>{title}</h3>
            {/* Keys scroll only what they can reach. */}
            <pre tabIndex={0} aria-label={`${title} of ${step.state}`}>
              {pretty(text)}
            </pre>
          </section>
        ),
      )}
    </div>
  );
}

function Notifications({ sent }: { sent: readonly NotificationSent[] }) {
  if (sent.length === 0) {
    return null;
  }
  return (
    <>
      <h3 id="notifications">Notifications</h3>
      <ul class="briefs" aria-labelledby="notifications">
        {sent.map(({ event, outcome, at, error }) => (
          <li key={`${event} ${at ?? ""}`}>
            <span>
              <span class="mono">{event}</span>{" "}
              <small class="muted">
                {outcome === "done" && at !== null ? `sent ${formatTime(at)}` : <Text>{error ?? "not sent yet"}</Text>}
              </small>
            </span>
            <Badge status={outcome === "done" ? "sent" : outcome} />
          </li>
        ))}
      </ul>
    </>
  );
}

/** Lambda's cause is a document, of which the message is what people read. */
function causeText({ error, cause }: WorkflowStep): string {
  try {
    const { errorMessage } = JSON.parse(cause ?? "") as { errorMessage?: unknown };
    return typeof errorMessage === "string" ? `${error ?? ""}: ${errorMessage}` : `${error ?? ""}: ${cause ?? ""}`;
  } catch {
    return cause === null ? (error ?? "") : `${error ?? ""}: ${cause}`;
  }
}

function durationOf({ entered_at: from, left_at: to }: WorkflowStep): string {
  return formatDuration((to === null ? Date.now() : Date.parse(to)) - Date.parse(from));
}
