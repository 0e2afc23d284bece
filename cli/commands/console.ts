import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError } from "commander";
import { CliError } from "../errors.ts";
import { inSession } from "../session.ts";
import type { CliContext, Session } from "../session.ts";

type Options = { port: number; open: boolean };

const EXAMPLES = `
Examples:
  $ cinderless console
  $ cinderless console --port 8800 --no-open
  $ cinderless --profile staging console
`;

/** `console`: a page to watch and repair the deployment, for as long as the command runs. */
export function registerConsole(program: Command, context: CliContext): void {
  program
    .command("console")
    .summary("open a page to watch and repair the deployment")
    .description(
      "Serve a page on 127.0.0.1 that shows volumes, backends, dead letters and audits as they change, until Ctrl-C. " +
        "It has the permissions of this shell. Only clients that know the printed address can use it.",
    )
    .option("--port <port>", "port to listen on; 0 selects a free one", parsePort, 0)
    .option("--no-open", "print the address without opening a browser")
    .addHelpText("after", EXAMPLES)
    .action(inSession(context, serveConsole));
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError("It must be a whole number from 0 to 65535.");
  }
  return port;
}

async function serveConsole(session: Session, { port, open }: Options): Promise<void> {
  const interruption = session.interruption();
  const [{ pageFiles }, { makeRoutes }, { readErrorPage }, { readRunbook }, { startConsoleServer }] = await Promise.all(
    [
      import("../console/page-files.ts"),
      import("../console/routes.ts"),
      import("../console/error-meanings.ts"),
      import("../console/alarms-answer.ts"),
      import("../console/server.ts"),
    ],
  );
  const [errors, runbook] = await Promise.all([readErrorPage(), readRunbook()]);
  const token = randomBytes(24).toString("base64url");
  const { routes, warmUp } = makeRoutes(session, { errors, runbook });
  // The first volumes are read while the page is bundled and the browser starts.
  warmUp();
  const files = await pageFiles();
  const server = await startConsoleServer({ port, token, files, routes }).catch((error: unknown) => {
    throw portError(error, port);
  });
  // Browsers never send the part after the #.
  const url = `http://127.0.0.1:${server.port}/#token=${token}`;
  let forget = async (): Promise<void> => {};
  try {
    await session.answer({ url }, () => `The console is at ${url}\nCtrl-C ends it.\n`);
    if (open && session.stdout.isTty && !session.json) {
      const { openBrowser } = await import("../console/open-browser.ts");
      forget = await openBrowser(url);
    }
    await aborted(interruption);
  } finally {
    await forget();
    await server.close();
  }
}

function portError(error: unknown, port: number): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const reason = code === "EADDRINUSE" ? "in use" : code === "EACCES" ? "reserved for others" : undefined;
  return reason === undefined
    ? error
    : new CliError(`port ${port} is ${reason}`, {
        hint: "name another port with --port, or omit it to use a free one",
      });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
