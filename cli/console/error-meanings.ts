import { readFile } from "node:fs/promises";
import { routeOf } from "../../core/errors.ts";
import type { ErrorMeaning, ErrorsAnswer } from "./wire.ts";

const PAGE = new URL("../../docs/errors.md", import.meta.url);

/** The consequence of an error, by its route: the first paragraph after the heading in the page. */
const HEADINGS = { Final: "final", Reschedulable: "reschedulable", Uncertain: "uncertain" } as const;

/** The texts of `docs/errors.md`, which is generated from the errors of the flow, for each name. */
export type ErrorPage = { meanings: Map<string, string>; consequences: Map<string, string> };

/** Reads the page. */
export async function readErrorPage(): Promise<ErrorPage> {
  return parseErrorPage(await readFile(PAGE, "utf8"));
}

/** The tables and the first paragraphs of the page. */
function parseErrorPage(markdown: string): ErrorPage {
  const page: ErrorPage = { meanings: new Map(), consequences: new Map() };
  let route: string | undefined;
  for (const line of markdown.split("\n")) {
    const heading = /^## (?<title>\w+)$/.exec(line)?.groups?.["title"];
    const row = /^\| `(?<name>[\w.]+)` *\| (?<meaning>.*?) *\|$/.exec(line)?.groups;
    if (heading !== undefined) {
      route = HEADINGS[heading as keyof typeof HEADINGS];
    } else if (row?.["name"] !== undefined && row["meaning"] !== undefined) {
      page.meanings.set(row["name"], plain(row["meaning"]));
    } else if (route !== undefined && line !== "" && !line.startsWith("|") && !page.consequences.has(route)) {
      page.consequences.set(route, plain(line));
    }
  }
  return page;
}

/** The meaning of an error's name, and its consequence. */
export function meaningOf(page: ErrorPage, name: string): ErrorMeaning {
  const route = routeOf(name);
  return {
    name,
    route,
    meaning: page.meanings.get(name) ?? null,
    consequence: page.consequences.get(route) ?? "",
  };
}

/** Every error of the page, in its order. */
export function errorsAnswer(page: ErrorPage): ErrorsAnswer {
  return { errors: [...page.meanings.keys()].map((name) => meaningOf(page, name)) };
}

function plain(markdown: string): string {
  return markdown.replaceAll(/\*\*|`/g, "").replaceAll(/\\\|/g, "|");
}
