/**
 * CloudWatch's alarms, as far as they are evaluated here: metrics by name and dimensions, metric math of `FILL`, `MAX`, `IF`,
 * arithmetic and comparisons, and what missing data means. Anything else is refused, so a formula cannot be evaluated wrongly.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
 */

/** A metric that an alarm looks at. */
export type WatchedMetric = {
  /** Its id in the formula. */
  id: string;
  /** `Namespace/MetricName`. */
  name: string;
  /** Values, or the logical ids of the resources that they are attributes of. */
  dimensions: Readonly<Record<string, string>>;
  statistic: string;
  periodSeconds: number;
};

/** An alarm of a template. */
export type AlarmSettings = {
  id: string;
  metrics: WatchedMetric[];
  formula: string;
  threshold: number;
  comparison: string;
  periods: number;
  missing: string;
  periodSeconds: number;
  /** Whether it notifies anyone. */
  acts: boolean;
};

type Metric = { Namespace: string; MetricName: string; Dimensions?: { Name: string; Value: unknown }[] };
type MetricStat = { Metric: Metric; Stat: string; Period: number };
/** Properties of `AWS::CloudWatch::Alarm`; values are texts, or references to resources where these are not resolved. */
export type AlarmProperties = {
  AlarmActions?: unknown[];
  ActionsEnabled?: boolean;
  Metrics?: { Id: string; Expression?: string; MetricStat?: MetricStat; ReturnData?: boolean }[];
  Statistic?: string;
  Period?: number;
  Threshold: number;
  ComparisonOperator: string;
  EvaluationPeriods: number;
  DatapointsToAlarm?: number;
  TreatMissingData: string;
} & Partial<Metric>;

/** Reads an alarm. @throws Error for one that cannot be evaluated here */
export function alarmOf(id: string, properties: AlarmProperties): AlarmSettings {
  if (properties.DatapointsToAlarm !== undefined && properties.DatapointsToAlarm !== properties.EvaluationPeriods) {
    throw new Error(`alarm ${id}: only alarms are known that need every period to breach`);
  }
  const { metrics, formula } = metricsOf(properties);
  return {
    id,
    metrics,
    formula,
    threshold: properties.Threshold,
    comparison: properties.ComparisonOperator,
    periods: properties.EvaluationPeriods,
    missing: properties.TreatMissingData,
    periodSeconds: Math.max(...metrics.map(({ periodSeconds }) => periodSeconds)),
    acts: (properties.ActionsEnabled ?? true) && (properties.AlarmActions ?? []).length > 0,
  };
}

function metricsOf(properties: AlarmProperties): Pick<AlarmSettings, "metrics" | "formula"> {
  const { Metrics: parts, Namespace, MetricName, Dimensions = [], Statistic = "", Period = 0 } = properties;
  if (parts === undefined) {
    const metric = { Namespace: Namespace ?? "", MetricName: MetricName ?? "", Dimensions };
    return { metrics: [watchedOf("m", { Metric: metric, Stat: Statistic, Period })], formula: "m" };
  }
  const metrics = parts.flatMap(({ Id, MetricStat: stat }) => (stat === undefined ? [] : [watchedOf(Id, stat)]));
  const expressions = new Map(
    parts.flatMap(({ Id, Expression }) => (Expression === undefined ? [] : [[Id, Expression]])),
  );
  // An expression may name another one.
  const inline = (text: string): string =>
    text.replace(/[a-z]\w*/g, (name) => {
      const inner = expressions.get(name);
      return inner === undefined ? name : `(${inline(inner)})`;
    });
  const returned = parts.find(({ Expression, ReturnData }) => Expression !== undefined && ReturnData !== false);
  return { metrics, formula: inline(returned?.Expression ?? "") };
}

function watchedOf(id: string, { Metric: metric, Stat, Period }: MetricStat): WatchedMetric {
  const dimensions = (metric.Dimensions ?? []).map(({ Name, Value }) => [Name, textOf(Value)] as const);
  return {
    id,
    name: `${metric.Namespace}/${metric.MetricName}`,
    dimensions: Object.fromEntries(dimensions),
    statistic: Stat,
    periodSeconds: Period,
  };
}

/** A value, or the logical id that a token names. */
function textOf(value: unknown): string {
  if (typeof value === "string") {
    return value;
  }
  const { Ref: reference, "Fn::GetAtt": attribute } = (value ?? {}) as { Ref?: string; "Fn::GetAtt"?: string[] };
  return reference ?? attribute?.[0] ?? JSON.stringify(value);
}

/** Values by period; undefined where there is none. */
export type Series = readonly (number | undefined)[];

/** The value of an alarm's formula in each period, from the values of its metrics by their ids. */
export function valuesOf(
  { formula }: Pick<AlarmSettings, "formula">,
  series: Readonly<Record<string, Series>>,
): Series {
  const periods = Math.max(...Object.values(series).map(({ length }) => length));
  return Array.from({ length: periods }, (_, period) =>
    evaluate(formula, (id) => {
      const values = series[id];
      if (values === undefined) {
        throw new Error(`the formula ${formula} has no metric ${id}`);
      }
      return values[period];
    }),
  );
}

export type AlarmState = "ALARM" | "OK" | "INSUFFICIENT_DATA";

/** The state after each period. */
export function statesOf(alarm: AlarmSettings, values: Series): AlarmState[] {
  let state: AlarmState = "INSUFFICIENT_DATA";
  return values.map((_, period) => {
    const window = Array.from({ length: alarm.periods }, (_unused, back) => values[period - back]);
    state = nextState(alarm, window, state);
    return state;
  });
}

/** The state after a window of periods, the newest first, by the state before. */
export function nextState(alarm: AlarmSettings, window: Series, before: AlarmState): AlarmState {
  const isMissing = window.every((value) => value === undefined);
  if (isMissing && alarm.missing === "ignore") {
    return before;
  }
  if (isMissing && alarm.missing === "missing") {
    return "INSUFFICIENT_DATA";
  }
  const breaches = window.map((value) =>
    value === undefined ? alarm.missing === "breaching" : isBreach(alarm, value),
  );
  return breaches.every(Boolean) ? "ALARM" : "OK";
}

function isBreach({ comparison, threshold }: AlarmSettings, value: number): boolean {
  switch (comparison) {
    case "GreaterThanOrEqualToThreshold":
      return value >= threshold;
    case "LessThanThreshold":
      return value < threshold;
    default:
      throw new Error(`no comparison ${comparison} is known`);
  }
}

type Value = number | undefined;

/** Operators by how tightly they bind, the loosest first. */
const OPERATORS: readonly Readonly<Record<string, (one: number, other: number) => number>>[] = [
  {
    ">": (one, other) => Number(one > other),
    "<": (one, other) => Number(one < other),
    ">=": (one, other) => Number(one >= other),
    "<=": (one, other) => Number(one <= other),
  },
  { "+": (one, other) => one + other, "-": (one, other) => one - other },
  { "*": (one, other) => one * other, "/": (one, other) => one / other },
];

/** Evaluates a formula for one period. @throws Error for what is not known */
function evaluate(formula: string, valueOf: (id: string) => Value): Value {
  const tokens = formula.match(/[A-Za-z_]\w*|\d+(?:\.\d+)?|>=|<=|[-+*/()[\],<>]/g) ?? [];
  let at = 0;
  const take = (expected?: string): string => {
    const token = tokens[at] ?? "";
    if (token === "" || (expected !== undefined && token !== expected)) {
      throw new Error(`${formula}: ${token === "" ? "it ends" : token} where ${expected ?? "something"} is expected`);
    }
    at += 1;
    return token;
  };
  const list = (end: string): Value[] => {
    const values = [operation(0)];
    while (tokens[at] === ",") {
      take(",");
      values.push(operation(0));
    }
    take(end);
    return values;
  };
  const operation = (level: number): Value => {
    const operators = OPERATORS[level];
    if (operators === undefined) {
      return operand();
    }
    let value = operation(level + 1);
    for (let apply = operators[tokens[at] ?? ""]; apply !== undefined; apply = operators[tokens[at] ?? ""]) {
      take();
      const other = operation(level + 1);
      value = value === undefined || other === undefined ? undefined : apply(value, other);
    }
    return value;
  };
  const operand = (): Value => {
    const token = take();
    if (token === "(") {
      const value = operation(0);
      take(")");
      return value;
    }
    if (/^\d/.test(token)) {
      return Number(token);
    }
    return tokens[at] === "(" ? called(token) : valueOf(token);
  };
  const called = (name: string): Value => {
    take("(");
    if (name === "MAX") {
      take("[");
      const present = list("]").filter((value) => value !== undefined);
      take(")");
      return present.length === 0 ? undefined : Math.max(...present);
    }
    const [first, second, third] = list(")");
    switch (name) {
      case "FILL":
        return first ?? second;
      case "IF":
        return first === undefined ? undefined : first !== 0 ? second : third;
      default:
        throw new Error(`${formula}: no function ${name} is known`);
    }
  };
  const value = operation(0);
  if (at < tokens.length || tokens.join("") !== formula.replaceAll(/\s/g, "")) {
    throw new Error(`${formula}: it cannot be read to its end`);
  }
  return value;
}
