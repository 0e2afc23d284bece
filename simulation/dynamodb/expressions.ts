import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { isEqual, type Item, order, type Path, valueAt } from "./values.ts";

/**
 * The part of DynamoDB's expression language that the project's expressions use: comparisons, `IN`, `AND`, `OR`, `NOT`, brackets,
 * `attribute_exists`, `attribute_not_exists`, `begins_with`, `size` of texts, maps and lists; `SET` with `+`, `-` and `if_not_exists`, `REMOVE`.
 * All else throws, so that no expression is evaluated differently from DynamoDB.
 *
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
 */

/** The attribute names and values behind an expression's placeholders. */
export type Placeholders = {
  names: Readonly<Record<string, string>>;
  values: Readonly<Record<string, AttributeValue>>;
};

/** Whether an item fulfils a condition. */
export type Condition = (item: Readonly<Item>, placeholders: Placeholders) => boolean;

/** Finds a value, or undefined where the item has none. */
type Operand = (item: Readonly<Item>, placeholders: Placeholders) => AttributeValue | undefined;

type PathOf = (placeholders: Placeholders) => Path;

/** One action of an update. A removal has no value. */
export type Action = { path: PathOf; value?: Operand };

/** An expression that was read, with the placeholders that it uses. */
export type Parsed<Result> = { result: Result; used: ReadonlySet<string> };

/** @throws ValidationException */
export function parseCondition(expression: string): Parsed<Condition> {
  return cached(CONDITIONS, expression, (parser) => parser.condition());
}

/** @throws ValidationException */
export function parseUpdate(expression: string): Parsed<readonly Action[]> {
  return cached(UPDATES, expression, (parser) => parser.update());
}

/** An error as the SDK has it. */
export function validationError(message: string): Error {
  return Object.assign(new Error(message), { name: "ValidationException" });
}

const CONDITIONS = new Map<string, Parsed<Condition>>();
const UPDATES = new Map<string, Parsed<readonly Action[]>>();

function cached<Result>(
  cache: Map<string, Parsed<Result>>,
  expression: string,
  parse: (parser: Parser) => Result,
): Parsed<Result> {
  let parsed = cache.get(expression);
  if (parsed === undefined) {
    const parser = new Parser(expression);
    parsed = { result: parse(parser), used: parser.used };
    parser.end();
    cache.set(expression, parsed);
  }
  return parsed;
}

const TOKEN = /\s*(<>|<=|>=|[=<>(),.+-]|[#:]?\w+)/y;

/** Reads an expression by recursive descent, into functions. */
class Parser {
  readonly used = new Set<string>();
  readonly #expression: string;
  readonly #tokens: string[] = [];
  #position = 0;

  constructor(expression: string) {
    this.#expression = expression;
    TOKEN.lastIndex = 0;
    const text = expression.trimEnd();
    while (TOKEN.lastIndex < text.length) {
      const token = TOKEN.exec(text)?.[1];
      if (token === undefined) {
        throw this.#error("a character that no expression has");
      }
      this.#tokens.push(token);
    }
  }

  /** @throws ValidationException unless all was read */
  end(): void {
    if (this.#position < this.#tokens.length) {
      throw this.#error(`token: "${this.#tokens[this.#position]}"`);
    }
  }

  condition(): Condition {
    let left = this.#conjunction();
    while (this.#takes("OR")) {
      const [first, second] = [left, this.#conjunction()];
      left = (...args) => first(...args) || second(...args);
    }
    return left;
  }

  #conjunction(): Condition {
    let left = this.#negation();
    while (this.#takes("AND")) {
      const [first, second] = [left, this.#negation()];
      left = (...args) => first(...args) && second(...args);
    }
    return left;
  }

  #negation(): Condition {
    if (this.#takes("NOT")) {
      const negated = this.#negation();
      return (...args) => !negated(...args);
    }
    if (this.#takes("(")) {
      const inner = this.condition();
      this.#expect(")");
      return inner;
    }
    return this.#predicate();
  }

  #predicate(): Condition {
    if (this.#takes("attribute_exists")) {
      const path = this.#inBrackets(() => this.#path());
      return (item, placeholders) => valueAt(item, path(placeholders)) !== undefined;
    }
    if (this.#takes("attribute_not_exists")) {
      const path = this.#inBrackets(() => this.#path());
      return (item, placeholders) => valueAt(item, path(placeholders)) === undefined;
    }
    if (this.#takes("begins_with")) {
      const [whole, prefix] = this.#inBrackets(() => this.#pair());
      return (...args) => whole(...args)?.S?.startsWith(prefix(...args)?.S ?? "\uFFFF") ?? false;
    }
    const left = this.#operand();
    if (this.#takes("IN")) {
      const members = this.#inBrackets(() => this.#list(() => this.#operand()));
      return (...args) => members.some((member) => isEqual(left(...args), member(...args)));
    }
    const compare = COMPARATORS[this.#next()];
    if (compare === undefined) {
      throw this.#error(`token: "${this.#tokens[this.#position - 1] ?? "the end"}"`);
    }
    const right = this.#operand();
    return (...args) => compare(left(...args), right(...args));
  }

  update(): Action[] {
    const actions: Action[] = [];
    while (this.#position < this.#tokens.length) {
      if (this.#takes("SET")) {
        actions.push(...this.#list(() => this.#assignment()));
      } else if (this.#takes("REMOVE")) {
        actions.push(...this.#list(() => ({ path: this.#path() })));
      } else {
        throw this.#error(`token: "${this.#tokens[this.#position]}"`);
      }
    }
    return actions;
  }

  #assignment(): Action {
    const path = this.#path();
    this.#expect("=");
    const left = this.#assigned();
    for (const [sign, factor] of SIGNS) {
      if (this.#takes(sign)) {
        const right = this.#assigned();
        return { path, value: (...args) => add(left(...args), right(...args), factor) };
      }
    }
    return { path, value: left };
  }

  /** A value that an update sets: one that is missing is an error. */
  #assigned(): Operand {
    const operand = this.#takes("if_not_exists") ? this.#fallback() : this.#operand();
    return (...args) => {
      const value = operand(...args);
      if (value === undefined) {
        throw validationError("The provided expression refers to an attribute that does not exist in the item");
      }
      return value;
    };
  }

  #fallback(): Operand {
    const [wanted, otherwise] = this.#inBrackets(() => this.#pair());
    return (...args) => wanted(...args) ?? otherwise(...args);
  }

  #pair(): [Operand, Operand] {
    const first = this.#operand();
    this.#expect(",");
    return [first, this.#operand()];
  }

  #operand(): Operand {
    if (this.#takes("size")) {
      const path = this.#inBrackets(() => this.#path());
      return (item, placeholders) => sizeOf(valueAt(item, path(placeholders)));
    }
    const token = this.#tokens[this.#position] ?? "";
    if (!token.startsWith(":")) {
      const path = this.#path();
      return (item, placeholders) => valueAt(item, path(placeholders));
    }
    this.#position += 1;
    this.used.add(token);
    return (_item, { values }) => values[token];
  }

  #path(): PathOf {
    const parts = [this.#name()];
    while (this.#takes(".")) {
      parts.push(this.#name());
    }
    return ({ names }) => parts.map((part) => (part.startsWith("#") ? (names[part] ?? "") : part));
  }

  #name(): string {
    const token = this.#next();
    if (!/^#?\w+$/.test(token)) {
      throw this.#error(`token: "${token}"`);
    }
    if (token.startsWith("#")) {
      this.used.add(token);
    }
    return token;
  }

  #list<Member>(read: () => Member): Member[] {
    const members = [read()];
    while (this.#takes(",")) {
      members.push(read());
    }
    return members;
  }

  #inBrackets<Result>(read: () => Result): Result {
    this.#expect("(");
    const result = read();
    this.#expect(")");
    return result;
  }

  #next(): string {
    this.#position += 1;
    return this.#tokens[this.#position - 1] ?? "";
  }

  #takes(token: string): boolean {
    const takes = this.#tokens[this.#position] === token;
    this.#position += takes ? 1 : 0;
    return takes;
  }

  #expect(token: string): void {
    if (!this.#takes(token)) {
      throw this.#error(`token: "${this.#tokens[this.#position] ?? "the end"}", where "${token}" belongs`);
    }
  }

  #error(what: string): Error {
    return validationError(`Invalid expression: Syntax error; ${what}, in: ${this.#expression}`);
  }
}

const SIGNS = [
  ["+", 1],
  ["-", -1],
] as const;

/** A missing attribute is equal to nothing, and so unlike everything. */
const COMPARATORS: Readonly<Record<string, (left?: AttributeValue, right?: AttributeValue) => boolean>> = {
  "=": isEqual,
  "<>": (left, right) => !isEqual(left, right),
  "<": (left, right) => order(left, right) < 0,
  "<=": (left, right) => order(left, right) <= 0,
  ">": (left, right) => order(left, right) > 0,
  ">=": (left, right) => order(left, right) >= 0,
};

function sizeOf(value: AttributeValue | undefined): AttributeValue | undefined {
  const members = value?.S ?? value?.L ?? (value?.M === undefined ? undefined : Object.keys(value.M));
  return members === undefined ? undefined : { N: String(members.length) };
}

function add(left: AttributeValue | undefined, right: AttributeValue | undefined, factor: 1 | -1): AttributeValue {
  if (left?.N === undefined || right?.N === undefined) {
    throw validationError("An operand in the update expression has an incorrect data type");
  }
  return { N: String(Number(left.N) + factor * Number(right.N)) };
}
