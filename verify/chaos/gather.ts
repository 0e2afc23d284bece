import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { ScanCommand, type ScanCommandOutput } from "@aws-sdk/client-dynamodb";
import { ListExecutionsCommand } from "@aws-sdk/client-sfn";
import { GetQueueAttributesCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { countRandomFaults } from "../../adapters/fault/random-faults.ts";
import { holdsNothing } from "../../adapters/file/attempt.ts";
import { attemptsPath, parseEntry } from "../../adapters/file/paths.ts";
import type { Page } from "../../core/ports.ts";
import { digestOfFile } from "./content.ts";
import type { DeadLetter, StoredFile } from "./evidence.ts";
import type { Services } from "./services.ts";
import { BACKENDS, backendDirectory, faultDirectory } from "./stack.ts";

/** Everything that a listing has. */
export async function everything<Item>(list: (limit: number, from?: string) => Promise<Page<Item>>): Promise<Item[]> {
  const items: Item[] = [];
  let from: string | undefined;
  do {
    const page: Page<Item> = await list(100, from);
    items.push(...page.items);
    from = page.next;
  } while (from !== undefined);
  return items;
}

/** Messages of a queue that are there, hidden or delayed. */
export async function messagesIn({ sqs, output }: Services, queue: string): Promise<number> {
  const names = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
  ] as const;
  const request = { QueueUrl: output(queue), AttributeNames: [...names] };
  const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand(request));
  return names.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
}

/** Executions that run; a hundred stand for any number beyond. */
export async function executionsRunning({ sfn, output }: Services): Promise<number> {
  // An alias ends with its name, after the machine's ARN.
  const stateMachineArn = output("StateMachineArn").replace(/(:stateMachine:[^:]+):.*$/, "$1");
  const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn, statusFilter: "RUNNING" }));
  return executions.length;
}

/** Dead letters that are kept, and those that still wait for it. */
export async function deadLettersOf(services: Services): Promise<DeadLetter[]> {
  const kept = await everything((limit, from) => services.deadLetters.list(limit, from));
  const waiting: DeadLetter[] = [];
  for (;;) {
    const request = {
      QueueUrl: services.output("SchedulerDeadLetterQueueUrl"),
      MaxNumberOfMessages: 10,
      MessageAttributeNames: ["All"],
      VisibilityTimeout: 60,
    };
    const { Messages = [] } = await services.sqs.send(new ReceiveMessageCommand(request));
    if (Messages.length === 0) {
      return [...kept.map(({ body, reason }) => ({ body, reason })), ...waiting];
    }
    waiting.push(
      ...Messages.map(({ Body = "", MessageAttributes }) => ({
        body: Body,
        reason: MessageAttributes?.["reason"]?.StringValue ?? "received too often",
      })),
    );
  }
}

/** The backends' content. */
export async function filesOf(directory: string, likely: readonly number[]): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const { host, name } of BACKENDS) {
    const folder = backendDirectory(directory, name);
    for (const entryName of await namesIn(folder)) {
      const entry = parseEntry(entryName);
      if (entry !== undefined) {
        const file = path.join(folder, entryName);
        const { size } = await stat(file);
        const digest = await digestOfFile(file, likely);
        files.push({ backend: host, what: entry.kind, id: entry.id, partial: false, sizeBytes: size, digest });
      }
    }
    for (const entryName of await namesIn(attemptsPath(folder))) {
      const entry = parseEntry(entryName);
      const work = path.join(attemptsPath(folder), entryName);
      // A call that comes late and dies may leave a directory that holds nothing: the audit removes it when no function can use it any more.
      if (entry !== undefined && (await stat(work)).isDirectory() && !(await holdsNothing(work))) {
        files.push({ backend: host, what: entry.kind, id: entry.id, partial: true, sizeBytes: 0, digest: null });
      }
    }
  }
  return files;
}

/**
 * Where the token of a request's context is kept: in a table, in an execution's journal, or in what the functions have logged. The
 * queues' own store is left out, since the messages that were sent hold it.
 */
export async function leaksOf(services: Services, directory: string, secret: string): Promise<string[]> {
  const leaks: string[] = [];
  for (const table of services.tables) {
    let from: ScanCommandOutput["LastEvaluatedKey"];
    do {
      const page: ScanCommandOutput = await services.dynamodb.send(
        new ScanCommand({ TableName: table, ExclusiveStartKey: from }),
      );
      const found = page.Items?.find((item) => JSON.stringify(item).includes(secret));
      leaks.push(...(found === undefined ? [] : [`table ${table}: ${JSON.stringify(found["id"] ?? found["host"])}`]));
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
  }
  for (const name of ["cloud.log", ...(await executionFiles(directory))]) {
    leaks.push(...((await holds(path.join(directory, name), secret)) ? [name] : []));
  }
  return leaks;
}

/** The embedded cloud's journal of executions, relative to the run's directory. */
async function executionFiles(directory: string): Promise<string[]> {
  const names = await readdir(path.join(directory, "cloud"), { recursive: true });
  return names
    .filter((name) => path.basename(name).startsWith("executions.sqlite"))
    .map((name) => path.join("cloud", name));
}

/** Reads a file that may be long; the text is looked for across the borders of what is read at once. */
async function holds(file: string, text: string): Promise<boolean> {
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "latin1" })) {
    const read = rest + String(chunk);
    if (read.includes(text)) {
      return true;
    }
    rest = read.slice(-text.length);
  }
  return false;
}

/** Faults of the backends by kind. */
export async function driverFaultsIn(directory: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { name } of BACKENDS) {
    const found = countRandomFaults(await namesIn(faultDirectory(directory, name)));
    for (const [kind, count] of Object.entries(found)) {
      counts[kind] = (counts[kind] ?? 0) + count;
    }
  }
  return counts;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return [];
    }
    throw error;
  }
}
