import { useEffect, useState } from "preact/hooks";
import type { ReplayAnswer } from "../wire.ts";
import { type Outcome, request } from "./api.ts";
import { Badge, FailureBanner, Text } from "./parts.tsx";

/** Runs the attempt again by the functions on this machine, and shows both answers of each call side by side. */
export function Replay({ volumeId, execution }: { volumeId: string; execution: string }) {
  const [outcome, setOutcome] = useState<Outcome<ReplayAnswer> | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => setOutcome(null), [execution]);
  const run = async (): Promise<void> => {
    setBusy(true);
    const path = `/api/volumes/${volumeId}/replay/${encodeURIComponent(execution)}`;
    setOutcome(await request<ReplayAnswer>(path, "POST"));
    setBusy(false);
  };
  return (
    <div class="replay">
      <div class="heading">
        <h3>Replay</h3>
        <div class="actions">
          <button type="button" disabled={isBusy} onClick={() => void run()}>
            {isBusy ? "Replaying…" : "Replay on this machine"}
          </button>
        </div>
      </div>
      <p class="muted">
        Calls the functions of this version with the recorded inputs, in memory. For breakpoints:{" "}
        <code>npx cinderless replay {execution} --debug</code>
      </p>
      {outcome?.kind === "failure" ? <FailureBanner failure={outcome.failure} /> : null}
      {outcome?.kind === "body" ? <Calls answer={outcome.body} /> : null}
    </div>
  );
}

function Calls({ answer: { same, recorded, calls } }: { answer: ReplayAnswer }) {
  const last = calls.at(-1);
  return (
    <>
      <p role="status">
        {same
          ? `All ${recorded} answers are the recorded ones.`
          : `${last?.state ?? ""}, call ${calls.length} of ${recorded}, does not answer as it did then.`}
      </p>
      <table class="steps">
        <caption>Recorded and replayed answers</caption>
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Recorded</th>
            <th scope="col">Replayed</th>
            <th scope="col">Result</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call, index) => (
            // A state may be called again with the same answer.
            // oxlint-disable-next-line react/no-array-index-key
            <tr key={index}>
              <th scope="row">{call.state}</th>
              <td class="answer">
                <Text>{call.recorded}</Text>
              </td>
              <td class="answer">
                <Text>{call.replayed}</Text>
                {call.differences.map((difference) => (
                  <small key={difference} class="fault">
                    <Text>{difference}</Text>
                  </small>
                ))}
              </td>
              <td>
                <Badge status={call.differences.length === 0 ? "same" : "differs"} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
