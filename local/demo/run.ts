import { createWriteStream, type WriteStream } from "node:fs";
import path from "node:path";
import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { waitForBackends } from "../backends-ready.ts";
import { backendsDirectoryOf, type LocalCinderless, startCinderless } from "../cinderless.ts";
import { explain, type Screen, seconds } from "../screen.ts";
import { demoBackends, FLAKY_HOST } from "./backends.ts";
import { connect, type Deployment } from "./deployment.ts";
import { documentOf } from "./document.ts";
import { expectedNotifications, judge } from "./expectations.ts";
import { type LiveLines, openLiveLines } from "./live-lines.ts";
import { openInbox } from "./notifications.ts";
import type { DemoOptions } from "./options.ts";
import { section, writeReport, writeVerdict } from "./report.ts";
import { compareVolumes, countTransitions, listFiles, type Result } from "./result.ts";
import { runScenario } from "./scenario.ts";
import { watchVolumes } from "./watcher.ts";
import { makeWishes } from "./wishes.ts";

/** A demonstration that takes longer is stuck. */
const LIMIT_MILLISECONDS = 120_000;

/** Time for the last notifications after everything has ended. */
const NOTIFICATIONS_MILLISECONDS = 2000;

const NO_LINES: LiveLines = { show: () => {}, end: () => {} };

/** Parameters of a demonstration. */
export type DemoContext = {
  options: DemoOptions;
  /** An empty directory; the caller removes it. */
  directory: string;
  screen: Screen;
  stream: NodeJS.WriteStream;
  /** Ends the demonstration early; it then rejects with the reason. */
  signal: AbortSignal;
  /** Called when every volume has ended, while the cloud still runs. */
  onResult?: (cloud: EmbeddedCloud) => Promise<void>;
};

/** Runs the demonstration and writes its findings. @returns whether every volume ended as it should */
export async function runDemo(context: DemoContext): Promise<boolean> {
  const { options, directory, screen, signal } = context;
  const startedAt = performance.now();
  const say = options.json ? () => {} : section.bind(undefined, screen);
  say("Boot", `  synthesising the CDK app and deploying its template to the embedded cloud ...`);
  const { cloud, stop } = await boot(context);
  const deployment = connect(cloud);
  try {
    await backendsReady(deployment, signal);
    const bootMilliseconds = performance.now() - startedAt;
    if (!options.json) {
      screen.write(`${describeCloud(cloud)}, ready after ${seconds(bootMilliseconds)}\n`);
    }
    const result = await createAll(cloud, deployment, context);
    const expectations = judge(result);
    await context.onResult?.(cloud);
    const milliseconds = performance.now() - startedAt;
    if (options.json) {
      const keptDirectory = options.keep ? directory : null;
      const document = documentOf(result, expectations, { milliseconds, bootMilliseconds, keptDirectory });
      screen.write(`${JSON.stringify(document, null, 2)}\n`);
    } else {
      writeReport(screen, result, backendsDirectoryOf(directory));
      writeVerdict(screen, expectations, milliseconds);
    }
    return expectations.every(({ holds }) => holds);
  } finally {
    deployment.close();
    await stop();
  }
}

/** The cloud accepts only an empty directory, so nothing is written there before it runs. */
function boot({ directory, options, signal }: DemoContext): Promise<LocalCinderless> {
  let log: WriteStream | undefined;
  const keepLine = (line: string): void => {
    log ??= createWriteStream(path.join(directory, "functions.log"));
    log.write(`${line}\n`);
  };
  return startCinderless({
    directory,
    signal,
    context: { backends: demoBackends(backendsDirectoryOf(directory), options.failWith) },
    ...(options.keep && { logSink: keepLine }),
  });
}

async function backendsReady({ backends }: Deployment, signal: AbortSignal): Promise<void> {
  const hosts = demoBackends("/", "Error").map(({ host }) => String(host));
  const missing = await waitForBackends(backends, hosts, new Date(0), LIMIT_MILLISECONDS, signal);
  if (missing.length > 0) {
    throw new Error(`no report came of ${missing.join(", ")}`);
  }
}

function describeCloud(cloud: EmbeddedCloud): string {
  const functions = Object.keys(cloud.counters.lambdaInvocations).length;
  const others = Object.keys(cloud.resources).length - functions;
  return `  backends: demo@first, demo@second, and ${FLAKY_HOST}, which fails its first create\n  ${functions} functions and ${others} other resources`;
}

/** From the first message to the last comparison. */
async function createAll(cloud: EmbeddedCloud, deployment: Deployment, context: DemoContext): Promise<Result> {
  const { options, directory, screen, stream, signal } = context;
  const wishes = makeWishes();
  const list = Object.values(wishes);
  const inbox = await openInbox(deployment);
  if (!options.json) {
    section(screen, "Create");
  }
  const lines = options.json ? NO_LINES : await openLiveLines(screen, stream, list);
  const limited = AbortSignal.any([signal, limitSignal()]);
  const watcher = watchVolumes(deployment.volumes, (records) => lines.show(records), limited);
  try {
    const imageDirectory = path.join(directory, "images");
    const outcome = await runScenario({ deployment, watcher, wishes, imageDirectory });
    signal.throwIfAborted();
    const unrest = await cloud.quiesce().then(
      () => [],
      (error: unknown) => [explain(error)],
    );
    const expected = [...expectedNotifications(list).values()].reduce((sum, count) => sum + count, 0);
    await inbox.waitFor(expected, NOTIFICATIONS_MILLISECONDS);
    signal.throwIfAborted();
    return {
      wishes,
      records: outcome.records,
      snapshot: outcome.snapshot,
      received: [...inbox.received],
      transitions: countTransitions(cloud, list),
      files: await listFiles(backendsDirectoryOf(directory)),
      comparisons: await compareVolumes(wishes, outcome),
      problems: [...outcome.problems, ...unrest],
    };
  } finally {
    lines.end();
    await Promise.all([watcher.stop(), inbox.stop()]);
  }
}

function limitSignal(): AbortSignal {
  const limit = new AbortController();
  const reason = new Error(`it has not ended after ${seconds(LIMIT_MILLISECONDS)}`);
  setTimeout(() => limit.abort(reason), LIMIT_MILLISECONDS).unref();
  return limit.signal;
}
