import { useEffect, useRef, useState } from "preact/hooks";
import { formatDuration } from "../../format.ts";
import type { ExecutionAnswer, WorkflowStep } from "../wire.ts";
import { usePoll } from "./api.ts";
import { Badge, FailureBanner, Text } from "./parts.tsx";

/** The workflow with what became of each state in one attempt, and the same as a list. */
export function Workflow(props: { volumeId: string; attempt: string; execution: string; isLive: boolean }) {
  const { volumeId, attempt, execution, isLive } = props;
  const [isOver, setOver] = useState<string | null>(null);
  const path = `/api/volumes/${volumeId}/executions/${encodeURIComponent(execution)}`;
  // What has ended does not change any more.
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
      <Graph steps={steps ?? []} />
      <p class="legend" aria-hidden="true">
        <span class="done">done</span>
        <span class="running">running</span>
        <span class="retried">done, after a retry</span>
        <span class="caught">failed</span>
      </p>
      {steps === undefined || steps === null ? null : <StepList steps={steps} />}
    </section>
  );
}

/** The colour of a state: that of its last visit. */
function markOf({ outcome, error }: WorkflowStep): string {
  return outcome === "done" && error !== null ? "retried" : outcome;
}

function Graph({ steps }: { steps: readonly WorkflowStep[] }) {
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
      const mark = marks.get(node.querySelector("text")?.textContent?.trim() ?? "");
      if (mark === undefined) {
        delete node.dataset["mark"];
      } else {
        node.dataset["mark"] = mark;
      }
    }
  }, [steps, isDrawn]);
  // What it shows is in the list below, too.
  return <div ref={place} class="graph" aria-hidden="true" />;
}

function StepList({ steps }: { steps: readonly WorkflowStep[] }) {
  return (
    <table class="steps">
      <caption>States in their order</caption>
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
        {steps.map((step) => (
          <tr key={`${step.state} ${step.entered_at}`}>
            <th scope="row">
              {step.state}
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
          </tr>
        ))}
      </tbody>
    </table>
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
