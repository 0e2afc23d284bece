import { useState } from "preact/hooks";
import type { CostAnswer } from "../wire.ts";
import { type Outcome, request } from "./api.ts";
import { FailureBanner, Text } from "./parts.tsx";

/** The cost of creating the volume. It is computed on demand, because it reads the history of every attempt. */
export function Cost({ volumeId }: { volumeId: string }) {
  const [outcome, setOutcome] = useState<Outcome<CostAnswer> | null>(null);
  const [isBusy, setBusy] = useState(false);
  const compute = async (): Promise<void> => {
    setBusy(true);
    setOutcome(await request<CostAnswer>(`/api/volumes/${volumeId}/cost`));
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="cost">
      <div class="heading">
        <h2 id="cost">Cost of the create</h2>
        <div class="actions">
          <button type="button" disabled={isBusy} onClick={() => void compute()}>
            {isBusy ? "Computing…" : outcome === null ? "Show the receipt" : "Compute again"}
          </button>
        </div>
      </div>
      {outcome?.kind === "failure" ? <FailureBanner failure={outcome.failure} /> : null}
      {outcome?.kind === "body" ? <Receipt receipt={outcome.body} /> : null}
    </section>
  );
}

function Receipt({ receipt: { cost, currency, steps, assumptions } }: { receipt: CostAnswer }) {
  return (
    <>
      <table class="steps">
        <caption>Parts of the price</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" class="number">
              {currency}
            </th>
          </tr>
        </thead>
        <tbody>
          {steps.map(({ step, cost: one }) => (
            <tr key={step}>
              <th scope="row">
                <Text>{step}</Text>
              </th>
              <td class="number">{one.toFixed(7)}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">
              <b>in all</b>
            </th>
            <td class="number">
              <b>{cost.toFixed(7)}</b>
            </td>
          </tr>
        </tbody>
      </table>
      <p class="muted">{assumptions.join("; ")}.</p>
    </>
  );
}
