/** A request of DynamoDB, as far as it is read here. */
export type WriteInput = {
  IndexName?: string;
  Key?: Readonly<Record<string, unknown>>;
  Item?: Readonly<Record<string, unknown>>;
  UpdateExpression?: string;
  ConditionExpression?: string;
  ExpressionAttributeNames?: Readonly<Record<string, string>>;
};

/** The start of a document path: a placeholder without a dot before it. */
const PATH_START = /(?<![\w.])#\w+/g;

/**
 * The values of `dynamodb:Attributes` for a write: the top-level attributes that the request names in its key, its item or its expressions.
 * Only the first step of a path counts, and returned attributes do not.
 *
 * @throws Error for an attribute that an expression names without a placeholder, which would be overlooked
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
 */
export function requestAttributes(input: WriteInput): string[] {
  const { ExpressionAttributeNames: names = {}, UpdateExpression = "", ConditionExpression = "" } = input;
  const expressions = `${UpdateExpression} ${ConditionExpression}`;
  const bare = expressions.replaceAll(/[#:]\w+/g, "").match(/\b[a-z]\w*\b(?!\()/g);
  if (bare !== null) {
    throw new Error(`an expression names ${bare.join(", ")} without a placeholder: ${expressions}`);
  }
  const named = [...expressions.matchAll(PATH_START)].map(([placeholder]) => {
    const name = names[placeholder];
    if (name === undefined) {
      throw new Error(`${placeholder} has no attribute in ${expressions}`);
    }
    return name;
  });
  return [...new Set([...Object.keys(input.Key ?? {}), ...Object.keys(input.Item ?? {}), ...named])].toSorted();
}
