import { CfnOutput, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { QueryDefinition, QueryString } from "aws-cdk-lib/aws-logs";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { alarmDefinitions, Alarms, isOnOneMetric, type WatchedParts } from "./alarms.ts";
import { overview } from "./dashboard.ts";
import type { Deployment } from "./deployment.ts";
import type { Functions } from "./functions.ts";

/**
 * Common questions about the logs, as queries of CloudWatch Logs Insights over the logs of every function. Fields are the keys of the
 * logger's lines: `state` is the function's name, `error` and `cause` are texts. A failed task logs a warning, because the workflow may try
 * again.
 */
export const SAVED_QUERIES: Readonly<
  Record<string, { fields: string[]; filterStatements?: string[]; statsStatements?: string[]; limit: number }>
> = {
  "Events of one volume (insert its id)": {
    fields: ["@timestamp", "state", "level", "message", "attempt", "error", "cause"],
    filterStatements: ['volume_id = "VOLUME-ID"'],
    limit: 1000,
  },
  "Effects of one request (insert its id)": {
    fields: ["@timestamp", "state", "level", "message", "volume_id", "attempt", "error", "cause"],
    filterStatements: ['request_id = "REQUEST-ID"'],
    limit: 1000,
  },
  "Errors by name and function": {
    fields: ["state", "error"],
    filterStatements: ["ispresent(error)"],
    statsStatements: ["count(*) as times by state, error"],
    limit: 100,
  },
  "Slowest invocations": {
    fields: ["@timestamp", "@log", "@duration", "@initDuration", "@maxMemoryUsed"],
    filterStatements: ['@type = "REPORT"'],
    limit: 50,
  },
};

/** The watched resources, and the extent of the observability. */
export type ObservabilityProps = WatchedParts & { encryptionKey: IKey | undefined } & Pick<
    Deployment,
    "alarmRecipients" | "observability"
  >;

/** Observability for people: alarms with their topic, a dashboard, saved queries. With `none` only the alarms on one metric remain. */
export class Observability extends Construct {
  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id);
    const topic = new Topic(this, "AlarmsTopic", {
      enforceSSL: true,
      ...(props.encryptionKey !== undefined && { masterKey: props.encryptionKey }),
    });
    // The policy that refuses requests without TLS replaces the default one, which lets alarms publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "AllowAlarms",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Stack.of(this).account } },
      }),
    );
    for (const address of props.alarmRecipients) {
      topic.addSubscription(new EmailSubscription(address));
    }
    acknowledge(topic, {
      "Serverless-SNSRedrivePolicy": "Only mail goes to recipients directly, and an unread alarm stays an alarm",
    });
    const isFull = props.observability === "full";
    const definitions = alarmDefinitions(props).filter((definition) => isFull || isOnOneMetric(definition));
    const { alarms } = new Alarms(this, "Alarms", definitions, topic);
    if (isFull) {
      overview(this, props, alarms);
      saveQueries(this, props.functions);
    }
    // Its name has no construct's path, because people and the command line read it.
    new CfnOutput(scope, "AlarmsTopicArn", { value: topic.topicArn });
  }
}

function saveQueries(scope: Construct, functions: Functions): void {
  const logGroups = functions.names.map((name) => functions.get(name).logGroup);
  Object.entries(SAVED_QUERIES).forEach(([name, query], index) => {
    const sort = query.statsStatements === undefined ? { sort: "@timestamp asc" } : { sort: "times desc" };
    new QueryDefinition(scope, `Query${index}`, {
      queryDefinitionName: `Cinderless/${name}`,
      queryString: new QueryString({ ...query, ...sort }),
      logGroups,
    });
  });
}
