/** A piece of text for people in a file: a comment, a string literal with a space in it, or a paragraph of a document. */
export type Passage = { line: number; text: string };

/** A rule of the project's prose, and what to write instead. */
type Rule = { name: string; pattern: RegExp; instead: string };

/**
 * The rules that a pattern can check. Identifiers are not prose: code spans, `${...}` and strings without a space are not searched.
 * "There is no X" and "no longer" are good English, so the pattern of "is no" leaves them alone.
 */
const RULES: readonly Rule[] = [
  { name: "tell", pattern: /\b(?:tells?|telling|told)\b/i, instead: "notify, publish, show, say, distinguish" },
  { name: "go on", pattern: /\b(?:go|goes|going|gone|went) on\b/i, instead: "continue" },
  { name: "anew", pattern: /\banew\b/i, instead: "again" },
  { name: "beside", pattern: /\bbesides?\b/i, instead: "next to, in addition to" },
  { name: "mend", pattern: /\bmend(?:s|ed|ing)?\b/i, instead: "fix" },
  {
    name: "is no",
    pattern: /(?<!\bthere )\b(?:is|are|was|were) no\b(?! (?:longer|more than|problem))/i,
    instead: "is not a",
  },
  { name: "is none", pattern: /(?<!\bthere )\b(?:is|are|was|were) none\b/i, instead: "is not one, has none" },
  { name: "nobody", pattern: /\bnobody\b/i, instead: "no caller, no function; name the actor" },
  { name: "whoever", pattern: /\bwhoever\b/i, instead: "name the actor" },
  { name: "theirs to", pattern: /\btheirs to\b/i, instead: "name the actor" },
  { name: "meanwhile", pattern: /\bmeanwhile\b/i, instead: "in the meantime, in between" },
  { name: "in the whole", pattern: /\bin the whole\b/i, instead: "in total" },
  { name: "as many as there are", pattern: /\bas many as there are\b/i, instead: "all" },
  {
    name: "free relative",
    pattern: /^(?:What|Who|Whoever|Whatever|Whichever)\s(?![^.!?]*\?)/,
    instead: "begin with the actor",
  },
  { name: "Of a", pattern: /^Of (?:a|an|the|all|each|what)\s/, instead: "begin with the actor" },
];

/** Texts that must stay: names of the fault matrix, by which its page and its random order know them, and columns of stored data. */
const QUOTATIONS: readonly string[] = [
  "deleted meanwhile",
  "reset meanwhile",
  "another one's end is not told",
  "audited beside a volume and a snapshot",
  "beside a backend whose record cannot be read",
  "a lost message beside a record",
  "audited, and what nobody claims is reaped",
  "beside one whose status somebody else has set",
  "told INTEGER NOT NULL",
  "told = 1",
  "cause, told",
  "input, told",
];

/** Each breach of a rule in a passage, as `"words": write ... instead`. */
export function breaches(text: string): string[] {
  const prose = QUOTATIONS.reduce((rest, quotation) => rest.replaceAll(quotation, "QUOTATION"), text);
  return prose
    .split(/(?<=[.!?:])\s+/)
    .flatMap((sentence) =>
      RULES.filter(({ pattern }) => pattern.test(sentence)).map(
        ({ name, instead }) => `${name} (write: ${instead}) in "${sentence.slice(0, 160)}"`,
      ),
    );
}

/** The text for people in a file, by its name's ending: `.md`, or a script. */
export function passagesOf(file: string, source: string): Passage[] {
  return file.endsWith(".md")
    ? paragraphsOf(source)
    : file.startsWith(".ci/")
      ? shellComments(source)
      : scriptProse(source);
}

const FENCE = /^\s*```/;
const PARAGRAPH_START = /^\s*(?:$|[-*#>|]|\d+\.)/;

function paragraphsOf(source: string): Passage[] {
  const passages: Passage[] = [];
  let inFence = false;
  source.split("\n").forEach((raw, index) => {
    if (FENCE.test(raw)) {
      inFence = !inFence;
      passages.push({ line: index + 1, text: "" });
      return;
    }
    const line = inFence ? "" : withoutCode(raw);
    const isStart = PARAGRAPH_START.test(line) || passages.length === 0;
    const texts = line.split("|").map((cell) => cell.replace(/^\s*(?:[-*#>]+|\d+\.)?\s*(?:\*\*)?/, ""));
    const previous = passages.at(-1);
    if (isStart || previous === undefined || texts.length > 1) {
      passages.push(...texts.map((text) => ({ line: index + 1, text })));
    } else if (previous.text === "") {
      passages.push({ line: index + 1, text: line });
    } else {
      previous.text += ` ${line.trim()}`;
    }
  });
  return passages.filter(({ text }) => text.trim() !== "");
}

function shellComments(source: string): Passage[] {
  return joined(
    source
      .split("\n")
      .map((line, index) => ({ line: index + 1, text: /(?:^|\s)# ?(.*)$/.exec(line)?.[1] ?? "" }))
      .filter(({ text }) => text !== ""),
  );
}

/** Comments, strings, templates and regular expressions of a script, in this order of precedence at each place. */
const TOKENS =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}|[^`\\])*`|(?<=(?:[=(,:;!&|?{}[\n]|return)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;

function scriptProse(source: string): Passage[] {
  const found: Passage[] = [];
  let line = 1;
  let scanned = 0;
  for (const { 0: token, index } of source.matchAll(TOKENS)) {
    line += countLines(source.slice(scanned, index));
    scanned = index;
    found.push(...(token.startsWith("/*") ? blockComment(token, line) : [{ line, text: textOf(token) }]));
  }
  return joined(found).filter(({ text }) => text.trim().includes(" "));
}

function textOf(token: string): string {
  if (token.startsWith("//")) {
    return withoutCode(token.replace(/^\/\/ ?/, "// "));
  }
  const isText = /^["'`]/.test(token) && token.slice(1, -1).trim().includes(" ");
  return isText
    ? withoutCode(
        token
          .slice(1, -1)
          .replaceAll("\\`", "`")
          .replaceAll(/\$\{[^}]*\}+/g, "x"),
      )
    : "";
}

/** The paragraphs of a block comment. */
function blockComment(token: string, line: number): Passage[] {
  const paragraphs: Passage[] = [];
  for (const [index, raw] of token
    .replace(/^\/\*+/, "")
    .replace(/\*\/$/, "")
    .split("\n")
    .entries()) {
    const text = withoutCode(raw.replace(/^\s*\* ?/, ""));
    const previous = paragraphs.at(-1);
    if (previous === undefined || previous.text === "" || /^\s*(?:$|[-*@]|\d+\.)/.test(text)) {
      paragraphs.push({ line: line + index, text: text.trim().replace(/^(?:[-*]|\d+\.|@\w+(?: \w+)?) /, "") });
    } else {
      previous.text += ` ${text.trim()}`;
    }
  }
  return paragraphs;
}

/** Makes one passage of `//` comments in consecutive lines. */
function joined(passages: readonly Passage[]): Passage[] {
  const result: (Passage & { last: number })[] = [];
  for (const { line, text } of passages) {
    const previous = result.at(-1);
    if (
      previous !== undefined &&
      previous.last === line - 1 &&
      text.startsWith("// ") &&
      previous.text.startsWith("// ")
    ) {
      previous.text += ` ${text.slice(3)}`;
      previous.last = line;
    } else {
      result.push({ line, text, last: line });
    }
  }
  return result.map(({ line, text }) => ({ line, text: text.replace(/^\/\/ /, "") }));
}

const withoutCode = (text: string): string => text.replaceAll(/`[^`]*`/g, "code");

const countLines = (text: string): number => text.split("\n").length - 1;
