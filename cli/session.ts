import type { Command } from "commander";
import type { Clock } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import { renderJson } from "./output.ts";
import type { Target } from "./outputs.ts";
import type { Profile } from "./profiles.ts";
import type { Output } from "./terminal.ts";

/** The environment of the commands; tests pass their own. */
export type CliContext = {
  stdout: Output;
  stderr: Output;
  clock: Clock;
  /** A new UUID. */
  newId(): string;
  /** Ends early, without an error, when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Asks a question that is answered by yes or no; undefined if there is no terminal. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Aborted by Ctrl-C after the first call; before it, Ctrl-C ends the process as usual. */
  interruption(): AbortSignal;
  /** The named profile, or that of the environment; one without any setting when none is named. */
  profile(name: string | undefined): Promise<Profile>;
  /** Opens nothing yet: parts connect on first use. */
  connect(target: Target): Connection;
  /** Runs a command with the variables of the target, an embedded cloud; returns its exit status. */
  runInEmbeddedCloud(target: Target, words: readonly string[]): Promise<number>;
};

/** Options that every command has. */
export type GlobalOptions = { json?: boolean; outputs?: string; stack?: string; profile?: string };

/** One run of one command. */
export type Session = CliContext & {
  connection: Connection;
  json: boolean;
  /** The profile's settings other than the deployment. */
  defaults: Pick<Profile, "project" | "user">;
  /** The answer: the value as a document with --json, else the text. */
  answer(value: unknown, human: () => string | Promise<string>): Promise<void>;
};

/** The deployment that the command line or its profile names, and the profile's other settings. */
export async function targetOf(
  context: CliContext,
  command: Command,
): Promise<{ target: Target; defaults: Session["defaults"] }> {
  const { outputs, stack, profile: name } = command.optsWithGlobals<GlobalOptions>();
  const { project, user, ...profile } = await context.profile(name);
  // If the command line names a deployment, the profile's deployment is ignored: a mixture would be a third one.
  const named = outputs === undefined && stack === undefined ? {} : { outputs, stack };
  const defaults = { ...(project === undefined ? {} : { project }), ...(user === undefined ? {} : { user }) };
  return { target: { ...profile, ...named }, defaults };
}

/**
 * The action of a command: the body is called with the command's session, its arguments and its options. The connection is always closed.
 */
export function inSession<Words extends unknown[]>(
  context: CliContext,
  body: (session: Session, ...words: Words) => Promise<void>,
): (...words: [...Words, Command]) => Promise<void> {
  return async (...words) => {
    const command = words.at(-1) as Command;
    const { json = false } = command.optsWithGlobals<GlobalOptions>();
    const { target, defaults } = await targetOf(context, command);
    const connection = context.connect(target);
    const answer: Session["answer"] = async (value, human) => {
      context.stdout.write(json ? renderJson(value) : await human());
    };
    try {
      await body({ ...context, connection, json, defaults, answer }, ...(words.slice(0, -1) as Words));
    } finally {
      connection.close();
    }
  };
}
