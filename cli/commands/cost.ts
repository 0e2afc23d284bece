import { droppedText } from "../../core/fault.ts";
import type { VolumeRecord } from "../../core/records.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { estimate } from "../cost/estimate.ts";
import { lacksFunctionEvents, stepsOfExecution } from "../cost/history.ts";
import { idleCost } from "../cost/idle.ts";
import prices from "../cost/prices.json" with { type: "json" };
import { priced, type Receipt } from "../cost/receipt.ts";
import { readTemplate } from "../cost/template.ts";
import { invocation, type Step, timesWork } from "../cost/work.ts";
import { UsageError } from "../errors.ts";
import { findVolume } from "../names.ts";
import { type CliContext, inSession, type Session } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless cost 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f
  $ cinderless cost --volumes 1000
  $ cinderless cost --volumes 50 --image-gib 10 --json
  $ cinderless cost --idle
  $ cinderless cost --idle --template cdk.out/Cinderless.template.json

A volume's receipt is computed from the history of its executions. Estimates make no request and work without a deployment; that of an idle stack
is computed from the template that deployment.json selects.
Prices are those of ${prices.region} on ${prices.date}; the price of a volume excludes logs, traces and stored data.
`;

/** A function outside the workflow leaves no history; this is its approximate billed time. */
const SCHEDULING_MS = 60;

type CostOptions = {
  volumes?: number;
  imageGib: number;
  copyMibPerSecond: number;
  idle?: boolean;
  template?: string;
};

/** `cost`: the price of a create, measured or estimated. */
export function registerCost(program: Command, context: CliContext): void {
  program
    .command("cost")
    .summary("show what a create cost, or estimate it")
    .description("Show a receipt per step: the counted work times the prices at a date.")
    .argument("[volume]", "id or name of a volume that was created")
    .option("--volumes <number>", "estimate for this number of volumes", parseCount)
    .option("--image-gib <gib>", "GiB of image data of each of them", parseAmount, 0)
    .option("--copy-mib-per-second <rate>", "speed of an image copy", parseAmount, 100)
    .addOption(new Option("--idle", "the monthly cost of the idle stack").conflicts(["volumes", "imageGib"]))
    .option("--template <file>", "with --idle, the template to price; by default the output of `cdk synth`")
    .addHelpText("after", EXAMPLES)
    .action(
      inSession(context, async (session, volumeId: string | undefined, options: CostOptions) => {
        if (options.idle === true) {
          await answerIdleCost(session, volumeId, options.template);
          return;
        }
        const receipt = await receiptFor(session, volumeId, options);
        await session.answer(receipt, () => renderReceipt(session, receipt));
      }),
    );
}

async function answerIdleCost(
  session: Session,
  volumeId: string | undefined,
  template: string | undefined,
): Promise<void> {
  if (volumeId !== undefined) {
    throw new UsageError("--idle is the price of the stack: leave the volume out");
  }
  const { region, date, currency } = prices;
  const idle = idleCost(await readTemplate(template));
  await session.answer({ ...idle, prices: { region, date, currency } }, async () => {
    const rows = [
      ...idle.parts.map(({ part, quantity, unit, cost }) => [part, count(quantity), unit, cost.toFixed(2)]),
      ["in all", "", "", idle.cost.toFixed(2)],
    ];
    const columns = [
      { title: "PART" },
      { title: "QUANTITY", isRightAligned: true },
      { title: "OF" },
      { title: "USD A MONTH", isRightAligned: true },
    ];
    const notes = idle.assumptions.map((assumption) => `  ${assumption}\n`).join("");
    const { renderTable } = await import("../table.ts");
    return `${renderTable(session.stdout, columns, rows)}Prices of ${region}, ${date}. Assumed:\n${notes}`;
  });
}

async function receiptFor(session: Session, volumeId: string | undefined, options: CostOptions): Promise<Receipt> {
  if ((volumeId === undefined) === (options.volumes === undefined)) {
    throw new UsageError("name a volume, or give --volumes or --idle for an estimate");
  }
  if (options.template !== undefined) {
    throw new UsageError("--template belongs to --idle");
  }
  if (options.copyMibPerSecond === 0) {
    throw new UsageError("--copy-mib-per-second must be above 0");
  }
  if (volumeId === undefined) {
    const { steps, assumptions } = estimate({ ...options, volumes: options.volumes ?? 0 });
    return priced(steps, prices, assumptions);
  }
  return receiptOf(session, await findVolume(session, volumeId));
}

/** The cost of creating the volume, from the histories of its executions. */
export async function receiptOf({ connection }: Pick<Session, "connection">, volume: VolumeRecord): Promise<Receipt> {
  const executions = await connection.executions();
  const attempts = Object.entries(volume.attempts).toSorted(([one], [other]) => Number(one) - Number(other));
  const steps: Step[] = [];
  const assumptions = [`${SCHEDULING_MS} ms for each scheduling, which is not part of an execution`];
  const dropped = volume.dropped?.attempts ?? 0;
  if (dropped > 0) {
    assumptions.push(`${droppedText(dropped)}; their work is not in the sum`);
  }
  for (const [number, { execution }] of attempts) {
    const prefix = attempts.length > 1 ? `attempt ${number}: ` : "";
    const named = (step: Step): Step => ({ ...step, step: prefix + step.step });
    steps.push(named({ step: "ScheduleVolume", times: 1, work: invocation("ScheduleVolume", SCHEDULING_MS) }));
    const events = await executions.history(execution);
    if (events === undefined) {
      assumptions.push(`the history of ${execution} is gone; its work is not in the sum`);
      continue;
    }
    if (lacksFunctionEvents(events)) {
      assumptions.push(
        `the history of ${execution} has no events of Lambda functions, as of some emulators; the time of its functions is not in the sum`,
      );
    }
    steps.push(...stepsOfExecution(events).map(named));
  }
  return priced(steps, prices, assumptions);
}

const HEAD = ["STEP", "TIMES", "TRANSITIONS", "INVOCATIONS", "GiB-s", "WRITES", "READS", "REQUESTS", "USD"];

async function renderReceipt(
  { stdout }: Session,
  { steps, total, cost, prices: { region, date }, assumptions }: Receipt,
): Promise<string> {
  const { renderTable } = await import("../table.ts");
  const row = (name: string, times: string, work: Step["work"], usd: number): string[] => [
    name,
    times,
    count(work.state_transition),
    count(work.lambda_request),
    work.lambda_gib_second.toFixed(4),
    count(work.dynamodb_write_unit),
    count(work.dynamodb_read_unit),
    count(work.sqs_request + work.sns_publish + work.s3_get),
    usd.toFixed(7),
  ];
  const rows = [
    ...steps.map((step) => row(step.step, String(step.times), timesWork(step.work, step.times), step.cost)),
    row("in all", "", total, cost),
  ];
  const notes = assumptions.map((assumption) => `  ${assumption}\n`).join("");
  const columns = HEAD.map((title, index) => ({ title, ...(index > 0 && { isRightAligned: true }) }));
  return `${renderTable(stdout, columns, rows)}Prices of ${region}, ${date}. Assumed:\n${notes}`;
}

function count(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

function parseCount(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  }
  return value;
}

function parseAmount(text: string): number {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) {
    throw new InvalidArgumentError("It must be a number, 0 or more.");
  }
  return Number(text);
}
