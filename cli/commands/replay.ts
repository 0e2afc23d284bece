import type { Command } from "commander";
import { validate as isUuid } from "uuid";
import { CliError } from "../errors.ts";
import { findVolume } from "../names.ts";
import type { CallOutcome, ReplayedCall } from "../replay.ts";
import { oneLine } from "../safe-text.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";
import { paint } from "../terminal.ts";

const EXAMPLES = `
Examples:
  $ cinderless replay root
  $ cinderless replay 4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f-a1
  $ cinderless --stack Cinderless replay root --debug

Functions run in one process on stores in memory, from their TypeScript sources, so breakpoints in lambdas/ and core/ work. With --debug
it waits for a debugger at the printed address (chrome://inspect, or your editor). A JavaScript debug terminal needs no option.
The answers of backends and image services come from the history. Failures of AWS itself, such as a time-out, show as differences.
`;

/** `replay`: a recorded execution once more, by the functions of this tree. */
export function registerReplay(program: Command, context: CliContext): void {
  program
    .command("replay")
    .summary("run a recorded execution again on this machine, and compare")
    .description(
      "Call this tree's functions with the recorded inputs of an execution, with what backends answered then, and compare each answer " +
        "with the recorded one. Stops at the first difference. The deployment is only read.",
    )
    .argument("<execution>", "name or ARN of an execution, or a volume: its last attempt")
    .option("--debug", "wait for a debugger before the first function")
    .addHelpText("after", EXAMPLES)
    .action(
      inSession(context, (session, named: string, { debug = false }: { debug?: boolean }) =>
        replay(session, named, debug),
      ),
    );
}

async function replay(session: Session, named: string, debug: boolean): Promise<void> {
  const { replayExecution } = await import("../replay.ts");
  const execution = await executionOf(session, named);
  const calls: ReplayedCall[] = [];
  const onCall = (call: ReplayedCall): void => {
    calls.push(call);
    if (!session.json) {
      session.stdout.write(renderCall(session, call));
    }
  };
  const { recorded, isSame } = await replayExecution(session, execution, { debug, onCall });
  await session.answer({ execution, same: isSame, recorded, calls }, () =>
    isSame ? `${recorded} of ${recorded} answers of ${execution} are the recorded ones\n` : "",
  );
  if (!isSame) {
    const state = calls.at(-1)?.state ?? "";
    throw new CliError(`${state}, call ${calls.length} of ${recorded}, does not answer as it did then`, {
      name: "ReplayDiffers",
    });
  }
}

/** An execution's name is the volume's id and the attempt's number. */
async function executionOf(session: Session, named: string): Promise<string> {
  const name = named.slice(named.lastIndexOf(":") + 1);
  if (isUuid(name.replace(/-a\d+$/, "")) && /-a\d+$/.test(name)) {
    return name;
  }
  const { id, attempts } = await findVolume(session, named);
  const last = Object.keys(attempts).toSorted((one, other) => Number(other) - Number(one))[0];
  const execution = last === undefined ? undefined : attempts[last]?.execution;
  if (execution === undefined) {
    throw new CliError(`volume ${id} has had no attempt`, { name: "InvalidVolume" });
  }
  return execution;
}

/** The state with both answers side by side, and below them where they differ. */
function renderCall({ stdout }: Session, { state, recorded, replayed, differences }: ReplayedCall): string {
  const isSame = differences.length === 0;
  const mark = paint(stdout, isSame ? "green" : "red", isSame ? "same   " : "differs");
  const width = Math.max(16, Math.floor((stdout.columns - MARK_WIDTH - STATE_WIDTH - 3) / 2));
  const cell = (outcome: CallOutcome): string => cut(outcomeText(outcome), width).padEnd(width);
  const line = `${mark} ${state.padEnd(STATE_WIDTH)} ${cell(recorded)} ${cell(replayed)}`;
  return [line, ...differences.map((difference) => `        ${oneLine(difference)}`)]
    .map((text) => `${text.trimEnd()}\n`)
    .join("");
}

const MARK_WIDTH = 7;
/** Width of the longest name, CreateVolumeFromSnapshot. */
const STATE_WIDTH = 24;

function outcomeText(outcome: CallOutcome): string {
  return oneLine("error" in outcome ? `${outcome.error}: ${outcome.message}` : JSON.stringify(outcome.output));
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 3)}...` : text;
}
