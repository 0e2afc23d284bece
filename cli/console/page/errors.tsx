import { useEffect } from "preact/hooks";
import type { ErrorsAnswer } from "../wire.ts";
import { usePoll } from "./api.ts";
import { Badge, FailureBanner, Text } from "./parts.tsx";

/** Errors do not change while the command runs. */
const RARELY_MILLISECONDS = 600_000;

/** The meaning and route of each error of the flow; the one that the address names comes first. */
export function ErrorsPage({ name }: { name: string | undefined }) {
  const { body, failure } = usePoll<ErrorsAnswer>("/api/errors", RARELY_MILLISECONDS);
  const errors = body?.errors ?? [];
  const chosen = errors.find((error) => error.name === name);
  useEffect(() => {
    if (name !== undefined) {
      document.title = `${name} – Cinderless`;
    }
  }, [name]);
  return (
    <>
      <div class="heading">
        <h1>Errors</h1>
      </div>
      {failure === null ? null : <FailureBanner failure={failure} />}
      {body === undefined && failure === null ? <p class="muted">Reading…</p> : null}
      {name === undefined || body === undefined ? null : (
        <section class="card fault-card" aria-labelledby="chosen">
          <h2 id="chosen">
            <Text>{name}</Text>
          </h2>
          {chosen === undefined ? (
            <p>
              The flow does not know this name, so its route is <b>uncertain</b>: the same backend is asked again, and
              nothing is placed elsewhere until the backend confirms that it holds nothing.
            </p>
          ) : (
            <>
              <p>{chosen.meaning}</p>
              <p>
                <b>{chosen.route}.</b> {chosen.consequence}
              </p>
            </>
          )}
        </section>
      )}
      {errors.length === 0 ? null : (
        <section class="card list" aria-labelledby="all">
          <h2 id="all">All errors, and where they lead</h2>
          <table>
            <thead>
              <tr>
                <th scope="col">Error</th>
                <th scope="col">Route</th>
              </tr>
            </thead>
            <tbody>
              {errors.map((error) => (
                <tr key={error.name}>
                  <th scope="row">
                    <a href={`#/errors/${encodeURIComponent(error.name)}`}>{error.name}</a>
                    <small class="muted">
                      <Text>{error.meaning}</Text>
                    </small>
                  </th>
                  <td>
                    <Badge status={error.route} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}
