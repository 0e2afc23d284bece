import { useState } from "preact/hooks";
import type { KeptAudit } from "../../../core/audit/kept-audit.ts";
import { FINDING_KINDS, type Finding } from "../../../core/audit/report.ts";
import { formatBytes } from "../../format.ts";
import type { AuditAnswer } from "../wire.ts";
import { request, usePoll } from "./api.ts";
import { Ago, Badge, FailureBanner, Text } from "./parts.tsx";

/** Compares the backends' content with the records. */
export function AuditPage() {
  const { body, failure, refresh } = usePoll<AuditAnswer>("/api/audit");
  const [isAsked, setAsked] = useState(false);
  const isRunning = isAsked || (body !== undefined && body.running_since !== null);
  const run = async (): Promise<void> => {
    setAsked(true);
    await request("/api/audit", "POST");
    setAsked(false);
    refresh();
  };
  const told = failure ?? body?.failure ?? null;
  return (
    <>
      <div class="heading">
        <h1>Audit</h1>
        <p class="muted" role="status">
          {isRunning ? "Looking at every backend…" : ""}
        </p>
        <div class="actions">
          <button type="button" class="solid" disabled={isRunning} onClick={() => void run()}>
            {isRunning ? "Running…" : "Run now"}
          </button>
        </div>
      </div>
      {told === null ? null : <FailureBanner failure={told} />}
      {body === undefined || body.report === null ? (
        <p class="card empty">
          No audit has run yet. An audit compares what each backend holds with the records, each hour by default. It
          changes nothing; <code>npx cinderless audit --reap</code> deletes what it finds.
        </p>
      ) : (
        <Report report={body.report} />
      )}
    </>
  );
}

function Report({ report }: { report: KeptAudit }) {
  const kinds = FINDING_KINDS.filter((kind) => report.totals[kind] > 0);
  return (
    <>
      <section class="card" aria-labelledby="result">
        <h2 id="result">{kinds.length === 0 ? "Nothing found" : "Found"}</h2>
        <p>
          {report.totals.volumes} volumes and {report.totals.snapshots} snapshots on {report.backends} backends, looked
          at <Ago at={report.audited_at} />.
        </p>
        {kinds.length === 0 ? null : (
          <div class="tiles">
            {kinds.map((kind) => (
              <p key={kind} class="tile still">
                <b>{report.totals[kind]}</b> <span>{kind}</span>
              </p>
            ))}
          </div>
        )}
        {report.unaudited.map(({ host, reason }) => (
          <p key={`${host ?? ""} ${reason}`} class="banner warn">
            <Text>{`${host ?? "A part"} could not be looked at: ${reason}`}</Text>
          </p>
        ))}
      </section>
      {report.findings.length === 0 ? null : (
        <section class="card list" aria-labelledby="findings">
          <h2 id="findings">Findings</h2>
          <table>
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">Kind</th>
                <th scope="col" class="wide">
                  Host
                </th>
                <th scope="col" class="middle number">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {report.findings.map((finding) => (
                <FindingRow key={`${finding.kind} ${finding.host} ${finding.id}`} finding={finding} />
              ))}
            </tbody>
          </table>
          {report.not_listed === 0 ? null : <p class="muted">and {report.not_listed} more</p>}
        </section>
      )}
    </>
  );
}

function FindingRow({ finding }: { finding: Finding }) {
  const { id, what, kind, host, detail, size_bytes: size } = finding;
  return (
    <tr>
      <th scope="row">
        <span class="mono">
          <Text>{id}</Text>
        </span>
        <small class="muted">
          <Text>{`${what}: ${detail}`}</Text>
        </small>
      </th>
      <td>
        <Badge status={kind === "held" ? "done" : "error"} detail={kind} />
      </td>
      <td class="wide">
        <Text>{host}</Text>
      </td>
      <td class="middle number">{size === null ? "" : formatBytes(size)}</td>
    </tr>
  );
}
