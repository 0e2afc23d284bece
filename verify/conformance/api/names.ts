/** Values of the recording's names in this run: the first text in place of a name is its value from then on. */
export class Names {
  readonly #values = new Map<string, string>();

  bind(name: string, value: string): void {
    this.#values.set(name, value);
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The text with values in the place of names. Names without a value are returned too. */
  fill(text: string): { text: string; unknown: string[] } {
    const unknown: string[] = [];
    const filled = text.replaceAll(NAME, (name) => {
      const value = this.#values.get(name);
      if (value === undefined) {
        unknown.push(name);
      }
      return value ?? name;
    });
    return { text: filled, unknown };
  }

  /** Whether a text is what was recorded. Binds names that stand for nothing yet. */
  matches(recorded: string, actual: string): boolean {
    const pattern = recorded.split(SPLIT).map((part) => this.#patternOf(part));
    const match = new RegExp(`^${pattern.join("")}$`, "s").exec(actual);
    if (match === null) {
      return false;
    }
    const free = recorded.match(NAME)?.filter((name) => this.#isFree(name)) ?? [];
    for (const [index, name] of free.entries()) {
      this.bind(name, match[index + 1] ?? "");
    }
    return true;
  }

  #isFree(name: string): boolean {
    return !(name in FORMATS) && !this.#values.has(name);
  }

  #patternOf(part: string): string {
    if (part.startsWith("<date:")) {
      return String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+]00:00)?`;
    }
    if (!NAME_ALONE.test(part)) {
      return escaped(part);
    }
    const value = this.#values.get(part);
    return FORMATS[part] ?? (value === undefined ? "([^/&]+)" : escaped(value));
  }
}

const NAME = /<(?!date:|is>)[a-z][a-z0-9-]*>/g;
const NAME_ALONE = /^<(?!date:|is>)[a-z][a-z0-9-]*>$/;
const SPLIT = /(<date:[^>]+>|<(?!is>)[a-z][a-z0-9-]*>)/;

/** Names whose value is another one each time. */
const FORMATS: Readonly<Record<string, string>> = {
  "<request-id>": "req-[0-9a-f-]{36}",
  "<length>": String.raw`\d+`,
  "<user>": "[^/]+",
};

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
