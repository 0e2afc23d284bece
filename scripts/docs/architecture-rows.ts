import {
  FUNCTION_NAMES,
  type FunctionName,
  type FunctionPurpose,
  FUNCTIONS,
  TASK_NAMES,
} from "../../core/settings/functions.ts";
import type { Template } from "../../infra/inline-template.ts";
import { isTask, permissionsOf, shortId, triggersOf } from "./template-facts.ts";

/** How a function uses a store or a queue. */
export type Use = "reads" | "writes" | "sends";

/** One event, queue or caller that starts a function. */
export type Start = { kind: "queue" | "rule" | "api" | "call"; label: string };

/** A row of the picture: a function, or the workflow with its tasks. */
export type Row = { name: string; isWorkflow: boolean; starts: readonly Start[]; uses: ReadonlyMap<string, Use> };

/** A store or queue, by its short logical id. */
export type Column = { id: string; label: string; isMessage: boolean };

/** Functions with one purpose. */
export type Group = { title: string; rows: readonly Row[] };

export const WORKFLOW = "create-volume";

const TITLES: Readonly<Record<FunctionPurpose, string>> = {
  create: "Create",
  request: "Other requests",
  net: "Nets: end the volumes that the workflow did not decide",
  backends: "Schedules",
};

const READS = /:(?:Get|BatchGet|Query|Scan|List)/;
const STORES = new Set(["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::EFS::FileSystem"]);
const MESSAGES = new Set(["AWS::SQS::Queue", "AWS::SNS::Topic"]);

/** The stores, and behind them the queues and topics, in the order of the template. Those of the alarms are left out. */
export function columnsOf({ Resources }: Template): Column[] {
  const columns = Object.entries(Resources)
    .filter(([id]) => !id.startsWith("Observability"))
    .flatMap(([id, { Type }]) =>
      STORES.has(Type) || MESSAGES.has(Type)
        ? [{ id: shortId(id), label: labelOf(id), isMessage: MESSAGES.has(Type) }]
        : [],
    );
  return [...columns.filter(({ isMessage }) => !isMessage), ...columns.filter(({ isMessage }) => isMessage)];
}

/** Every function that is not a task has one row; the tasks of the workflow share one, because their own picture shows each. */
export function groupsOf(template: Template): Group[] {
  return (Object.keys(TITLES) as FunctionPurpose[]).map((purpose) => ({
    title: TITLES[purpose],
    rows: rowNames(purpose).map((name) => ({
      name: name === WORKFLOW ? `${WORKFLOW}, ${TASK_NAMES.length} tasks` : name,
      isWorkflow: name === WORKFLOW,
      starts: startsOf(template, name),
      uses: usesOf(template, name),
    })),
  }));
}

function rowNames(purpose: FunctionPurpose): string[] {
  const names = FUNCTION_NAMES.filter((name) => !isTask(name) && FUNCTIONS[name].purpose === purpose);
  return purpose === "create" ? [...names, WORKFLOW] : names;
}

/** The row of a function. */
const rowOf = (name: FunctionName): string => (isTask(name) ? WORKFLOW : name);

function usesOf(template: Template, row: string): Map<string, Use> {
  const uses = new Map<string, Use>();
  for (const { function: name, actions, resource } of permissionsOf(template)) {
    const id = shortId(resource);
    const use = useOf(actions);
    if (rowOf(name) === row && use !== undefined && uses.get(id) !== "writes") {
      uses.set(id, use);
    }
  }
  return uses;
}

/** Receiving is left out: the queue is then what starts the function. */
function useOf(actions: readonly string[]): Use | undefined {
  if (actions.some((action) => /:(?:SendMessage|Publish)$/.test(action))) {
    return "sends";
  }
  const used = actions.filter((action) => /^(?:dynamodb|s3|elasticfilesystem):/.test(action));
  return used.length === 0 ? undefined : used.every((action) => READS.test(action)) ? "reads" : "writes";
}

function startsOf(template: Template, row: string): Start[] {
  const events = triggersOf(template)
    .filter(({ function: name }) => name === row)
    .map(({ from }): Start => ruleOf(template, from) ?? { kind: "queue", label: labelOf(from) });
  const callers = permissionsOf(template)
    .filter(({ resource }) => shortId(resource) === (row === WORKFLOW ? "WorkflowCreateVolume" : `Functions${row}`))
    .filter(({ actions }) => actions.some((action) => /:(?:InvokeFunction|StartExecution)$/.test(action)))
    .map(({ function: name }) => (isTask(name) ? "tasks" : name));
  const isApi = Object.keys(template.Resources).some((id) => id.startsWith(`${row}HttpApiDefaultRoute`));
  const clients = Object.hasOwn(template.Outputs, `${row}FunctionName`) ? ["clients"] : [];
  const labels = [...new Set([...clients, ...callers])];
  return [
    ...(isApi ? [{ kind: "api", label: "HTTP API" } as const] : []),
    ...events,
    ...(labels.length === 0 ? [] : [{ kind: "call", label: shortened(labels) } as const]),
  ];
}

/** A few callers by name, many by their number. */
const shortened = (labels: readonly string[]): string =>
  labels.length <= 2 ? labels.join(", ") : `${labels.slice(0, 1).join(", ")} and ${labels.length - 1} functions`;

/** A rule as its event or its rate; undefined when the id is not that of a rule. */
function ruleOf({ Resources }: Template, id: string): Start | undefined {
  const { Type, Properties = {} } = Resources[id] ?? { Type: "" };
  if (Type !== "AWS::Events::Rule") {
    return undefined;
  }
  const { ScheduleExpression: schedule } = Properties;
  const [, rate] = (typeof schedule === "string" && /^rate\((.+)\)$/.exec(schedule)) || [];
  return {
    kind: "rule",
    label: rate === undefined ? "execution failed or aborted" : `every ${rate.replace(/^1 /, "")}`,
  };
}

/** `RecordsVolumesTable1234ABCD` as `volumes`. */
function labelOf(logicalId: string): string {
  return shortId(logicalId)
    .replace(/^(?:Records|Messaging|Nets|Storage)/, "")
    .replace(/(?:Table|Topic)$/, "")
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .replace("dead letter queue", "dead letters");
}
