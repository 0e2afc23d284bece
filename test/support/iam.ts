import { functionNameIn, type Template } from "../../infra/inline-template.ts";

/** A request as IAM sees it. The resource is a logical id and what follows its ARN: `RecordsVolumesTable...`, `.../index/by_name`. */
export type IamRequest = {
  action: string;
  resource: string;
  /** Values by condition key; a key that the request lacks is absent. */
  context: Readonly<Record<string, readonly string[]>>;
};

/** A statement of a policy, as far as the stack uses the language. */
export type Statement = {
  Effect: string;
  Action: string | string[];
  Resource: unknown;
  Condition?: Record<string, Record<string, string | string[]>>;
};

/** Statements of the policies of a function's role. */
export function statementsOf({ Resources }: Template, functionName: string): Statement[] {
  return Object.entries(Resources)
    .filter(([id, { Type }]) => {
      const name = functionNameIn(id.replace(/ServiceRoleDefaultPolicy[0-9A-F]{8}$/, "00000000"));
      return Type === "AWS::IAM::Policy" && name === functionName;
    })
    .flatMap(([, { Properties = {} }]) => (Properties["PolicyDocument"] as { Statement: Statement[] }).Statement);
}

/**
 * Whether a role with these statements may do it, as IAM evaluates identity policies: allowed by one statement, denied by none. An
 * operator that is not known here is an error, so that no condition passes unseen.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function isAllowed(statements: readonly Statement[], request: IamRequest): boolean {
  const applying = statements.filter((statement) => applies(statement, request));
  return applying.some(({ Effect }) => Effect === "Allow") && !applying.some(({ Effect }) => Effect === "Deny");
}

function applies({ Action, Resource, Condition = {} }: Statement, { action, resource, context }: IamRequest): boolean {
  return (
    [Action].flat().some((pattern) => isLike(action, pattern)) &&
    [Resource].flat().some((pattern) => isLike(resource, resourcePattern(pattern))) &&
    Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, allowed]) => holds(operator, [allowed].flat(), context[key])),
    )
  );
}

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html */
function holds(operator: string, allowed: readonly string[], given: readonly string[] | undefined): boolean {
  const matches = (value: string, like: boolean): boolean =>
    allowed.some((pattern) => (like ? isLike(value, pattern) : value === pattern));
  switch (operator) {
    case "ForAllValues:StringEquals":
      return (given ?? []).every((value) => matches(value, false));
    case "ForAllValues:StringLike":
      return (given ?? []).every((value) => matches(value, true));
    case "ForAnyValue:StringEquals":
      return (given ?? []).some((value) => matches(value, false));
    case "StringEqualsIfExists":
      return given === undefined || given.some((value) => matches(value, false));
    case "Null":
      return allowed.includes(String(given === undefined));
    case "StringEquals":
      return given !== undefined && given.some((value) => matches(value, false));
    default:
      throw new Error(`the operator ${operator} is not evaluated here`);
  }
}

function isLike(value: string, pattern: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`, "s").test(value);
}

/** The logical id that a resource of a statement names, with what is joined to it. */
function resourcePattern(resource: unknown): string {
  if (typeof resource === "string") {
    return resource;
  }
  const { "Fn::GetAtt": attribute, Ref, "Fn::Join": join } = resource as Record<string, unknown>;
  if (Array.isArray(attribute)) {
    return String(attribute[0]);
  }
  if (typeof Ref === "string") {
    return Ref;
  }
  if (Array.isArray(join)) {
    return (join[1] as unknown[]).map(resourcePattern).join(String(join[0]));
  }
  throw new Error(`no resource is read in ${JSON.stringify(resource)}`);
}
