import { createRequire } from "node:module";

/**
 * dynalite parses each expression of each call with a generated parser that takes longer than the rest of the call. The same few
 * expressions come repeatedly with other values, so parsed expressions are cached and filled with the values of the call.
 */

/** Arguments of dynalite 4's parsers; they remove the keys that an expression uses from the two lists of unused keys. */
interface Context {
  readonly attrNames?: Record<string, string>;
  readonly attrVals?: Record<string, object>;
  readonly unusedAttrNames: Record<string, true>;
  readonly unusedAttrVals: Record<string, true>;
  readonly isKeyCondition?: boolean;
}

interface Parser {
  parse(expression: string, options: { context: Context }): unknown;
}

/** A parsed expression, the keys of the values in it, and the keys that it uses. */
interface Parsed {
  readonly tree: unknown;
  readonly keyOf: ReadonlyMap<unknown, string>;
  readonly names: readonly string[];
  readonly values: readonly string[];
}

const MODULES = ["dynalite/db/conditionParser", "dynalite/db/updateParser"];

/** A program has a few dozen expressions; one that creates new ones all the time must not fill the memory. */
const LARGEST_CACHE = 1000;

/** Compares its literal values while parsing, so it cannot be cached for other values. */
const DEPENDS_ON_VALUES = /\bbetween\b/i;

/** Adds a cache of parsed expressions to dynalite, which must not have parsed anything yet. */
export function rememberExpressions(): void {
  const require = createRequire(import.meta.url);
  for (const name of MODULES) {
    const parser = require(name) as Parser;
    parser.parse = remembering(parser.parse.bind(parser));
  }
}

/** The same parser with a cache. Refused expressions are parsed, and refused, each time. */
export function remembering(parse: Parser["parse"]): Parser["parse"] {
  const known = new Map<string, Parsed>();
  return (expression, options) => {
    const { context } = options;
    const key = DEPENDS_ON_VALUES.test(expression) ? undefined : keyOf(expression, context);
    const found = key === undefined ? undefined : known.get(key);
    if (found !== undefined) {
      for (const name of found.names) delete context.unusedAttrNames[name];
      for (const value of found.values) delete context.unusedAttrVals[value];
      return withValues(found.tree, found.keyOf, context.attrVals ?? {});
    }
    const names = Object.keys(context.unusedAttrNames);
    const values = Object.keys(context.unusedAttrVals);
    const tree = parse(expression, options);
    if (key === undefined || typeof tree === "string") return tree;
    const kept = new Map(Object.entries(context.attrVals ?? {}).map(([name, value]) => [value as unknown, name]));
    if (known.size >= LARGEST_CACHE) known.clear();
    known.set(key, {
      // A copy, because applying an expression changes it.
      tree: withValues(tree, kept, context.attrVals ?? {}),
      keyOf: kept,
      names: names.filter((name) => !(name in context.unusedAttrNames)),
      values: values.filter((name) => !(name in context.unusedAttrVals)),
    });
    return tree;
  };
}

/** Everything that a parser's answer depends on: the expression, its names, and the types of its values. */
function keyOf(expression: string, { attrNames, attrVals = {}, isKeyCondition, ...unused }: Context): string {
  const types = Object.entries(attrVals).map(([name, value]) => `${name} ${Object.keys(value)[0]}`);
  const left = [...Object.keys(unused.unusedAttrNames), ...Object.keys(unused.unusedAttrVals)];
  return JSON.stringify([expression, attrNames, types, left, isKeyCondition]);
}

/** A copy of a tree with the values of this call. Values themselves are not copied. */
function withValues(node: unknown, keys: ReadonlyMap<unknown, string>, values: Record<string, object>): unknown {
  if (typeof node !== "object" || node === null) return node;
  const name = keys.get(node);
  if (name !== undefined) return values[name];
  if (Array.isArray(node)) return node.map((entry) => withValues(entry, keys, values));
  const copy = Object.create(Object.getPrototypeOf(node) as object | null) as Record<string, unknown>;
  for (const [field, entry] of Object.entries(node)) copy[field] = withValues(entry, keys, values);
  return copy;
}
