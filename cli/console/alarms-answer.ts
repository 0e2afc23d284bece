import { readFile } from "node:fs/promises";
import type { Alarm } from "../connection.ts";
import type { Session } from "../session.ts";
import type { AlarmsAnswer, ShownAlarm } from "./wire.ts";

const RUNBOOK = new URL("../../docs/runbook.md", import.meta.url);

/** Sections of the runbook by their anchors: a heading in small letters. */
export type Runbook = ReadonlyMap<string, { title: string; text: string }>;

/** Reads the runbook that belongs to this version. */
export async function readRunbook(): Promise<Runbook> {
  return parseRunbook(await readFile(RUNBOOK, "utf8"));
}

/** The sections of the second level. */
export function parseRunbook(markdown: string): Runbook {
  const sections = markdown.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [title = "", ...lines] = section.split("\n");
      return [title.trim().toLowerCase(), { title: title.trim(), text: lines.join("\n").trim() }];
    }),
  );
}

const ORDER: Readonly<Record<Alarm["state"], number>> = { ALARM: 0, INSUFFICIENT_DATA: 1, OK: 2 };

/** The alarms, those that are on first, each with its section of the runbook. */
export async function alarmsAnswer(
  { connection }: Pick<Session, "connection">,
  runbook: Runbook,
): Promise<AlarmsAnswer> {
  const alarms = await (await connection.alarms()).list();
  const shown = alarms.map((alarm) => shownAlarm(alarm, runbook));
  return {
    alarms: shown.toSorted((one, other) => ORDER[one.state] - ORDER[other.state] || (one.title < other.title ? -1 : 1)),
  };
}

/** The description ends with the section: `docs/runbook.md#deadletters`. */
function shownAlarm({ name, description, state, reason, since }: Alarm, runbook: Runbook): ShownAlarm {
  const [, what = description, anchor = ""] = /^(.*?)\.? *\S*runbook\.md#(\S+)$/.exec(description) ?? [];
  const section = runbook.get(anchor);
  return { name, title: section?.title ?? name, what, state, reason, since, runbook: section?.text ?? null };
}
