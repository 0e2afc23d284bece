import { type FunctionName, FUNCTIONS } from "../../core/settings/functions.ts";
import { functionNameIn, type Template } from "../../infra/inline-template.ts";

/** One statement of a function's role: actions on a resource, by the resource's logical id or `*`, and their conditions. */
export type Permission = {
  function: FunctionName;
  actions: string[];
  resource: string;
  part: string;
  conditions: Conditions;
};

/** Values by condition key, by operator. */
export type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** A queue or a rule that starts a function, by its logical id. */
export type Trigger = { from: string; function: FunctionName };

type Statement = { Effect: string; Action: string | string[]; Resource: unknown; Condition?: Conditions };
type Resources = Template["Resources"];

/**
 * Every permission of the functions' roles in the synthesised template. The CDK merges statements on the same resources, so each is listed
 * by service. Statements that deny are left out.
 */
export function permissionsOf({ Resources: resources }: Template): Permission[] {
  return ofType(resources, "AWS::IAM::Policy").flatMap(([id, properties]) => {
    const name = functionNameIn(id.replace(/ServiceRoleDefaultPolicy[0-9A-F]{8}$/, "00000000"));
    if (name === undefined) {
      return [];
    }
    const { Statement: statements } = properties["PolicyDocument"] as { Statement: Statement[] };
    return statements
      .filter(({ Effect }) => Effect === "Allow")
      .flatMap(({ Action, Resource, Condition = {} }) =>
        [Resource].flat().flatMap((resource) =>
          byService([Action].flat()).map((actions) => ({
            function: name,
            actions,
            resource: logicalIdIn(resource),
            part: suffixIn(resource),
            conditions: Condition,
          })),
        ),
      );
  });
}

function byService(actions: readonly string[]): string[][] {
  const services = Map.groupBy(actions.toSorted(), (action) => action.slice(0, action.indexOf(":")));
  return [...services.values()];
}

/** Event sources and rules with the functions that they lead to. */
export function triggersOf({ Resources: resources }: Template): Trigger[] {
  const sources = ofType(resources, "AWS::Lambda::EventSourceMapping").map(([, properties]) => ({
    from: logicalIdIn(properties["EventSourceArn"]),
    function: functionIn(properties["FunctionName"]),
  }));
  const rules = ofType(resources, "AWS::Events::Rule").flatMap(([id, properties]) =>
    (properties["Targets"] as { Arn: unknown }[]).map(({ Arn }) => ({ from: id, function: functionIn(Arn) })),
  );
  return [...sources, ...rules];
}

/** Whether a function is a task of the workflow. */
export function isTask(name: FunctionName): boolean {
  return FUNCTIONS[name].kind === "task";
}

/** A logical id without the CDK's hash: `RecordsVolumesTable`. */
export function shortId(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, "");
}

function ofType(resources: Resources, type: string): [string, Record<string, unknown>][] {
  return Object.entries(resources).flatMap(([id, { Type, Properties = {} }]) =>
    Type === type ? [[id, Properties] as [string, Record<string, unknown>]] : [],
  );
}

function functionIn(value: unknown): FunctionName {
  const name = functionNameIn(logicalIdIn(value));
  if (name === undefined) {
    throw new Error(`no function in ${JSON.stringify(value)}`);
  }
  return name;
}

/** The logical id in a Ref, a GetAtt, or a Join that begins with either. */
function logicalIdIn(value: unknown): string {
  const text = JSON.stringify(value);
  return /"(?:Ref|Fn::GetAtt)":\[?"(\w+)"/.exec(text)?.[1] ?? String(value);
}

/** The part after the resource's own ARN: `/index/by_deadline`, `/*`. */
function suffixIn(value: unknown): string {
  const { "Fn::Join": join } = (value ?? {}) as { "Fn::Join"?: [string, unknown[]] };
  const last = join?.[1].at(-1);
  return typeof last === "string" ? last : "";
}
