import { CfnOutput } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { QueryDefinition, QueryString } from "aws-cdk-lib/aws-logs";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { type FunctionName, FUNCTIONS } from "../core/functions.ts";
import { acknowledge } from "./acknowledge.ts";
import { Alarms, type WatchedParts } from "./alarms.ts";
import { overview } from "./dashboard.ts";
import type { Functions } from "./functions.ts";

/** What people ask of the logs, as queries of CloudWatch Logs Insights over the logs of every function. */
const SAVED_QUERIES: Readonly<
  Record<string, { fields: string[]; filterStatements?: string[]; statsStatements?: string[]; limit: number }>
> = {
  "What happened to one volume (put its id in)": {
    fields: ["@timestamp", "function_name", "level", "message", "attempt", "state", "error.name", "error.message"],
    filterStatements: ['volume_id = "VOLUME-ID"'],
    limit: 1000,
  },
  "What one request did (put its id in)": {
    fields: ["@timestamp", "function_name", "message", "volume_id", "attempt", "error.name"],
    filterStatements: ['request_id = "REQUEST-ID"'],
    limit: 1000,
  },
  "Errors by name and function": {
    fields: ["function_name", "error.name"],
    filterStatements: ['level = "ERROR"'],
    statsStatements: ["count(*) as times by function_name, error.name"],
    limit: 100,
  },
  "Slowest invocations": {
    fields: ["@timestamp", "@log", "@duration", "@initDuration", "@maxMemoryUsed"],
    filterStatements: ['@type = "REPORT"'],
    limit: 50,
  },
};

/** How people see the product: alarms with their topic, a dashboard, saved queries. */
export class Observability extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: WatchedParts & { encryptionKey: IKey | undefined; alarmRecipients: readonly string[] },
  ) {
    super(scope, id);
    const topic = new Topic(this, "AlarmsTopic", {
      enforceSSL: true,
      ...(props.encryptionKey !== undefined && { masterKey: props.encryptionKey }),
    });
    for (const address of props.alarmRecipients) {
      topic.addSubscription(new EmailSubscription(address));
    }
    acknowledge(topic, {
      "Serverless-SNSRedrivePolicy":
        "Only mail goes to recipients directly, and an alarm that was not read stays an alarm",
    });
    const { alarms } = new Alarms(this, "Alarms", props, topic);
    overview(this, props, alarms);
    saveQueries(this, props.functions);
    // Its name has no construct's path, because people and the command line read it.
    new CfnOutput(scope, "AlarmsTopicArn", { value: topic.topicArn });
  }
}

function saveQueries(scope: Construct, functions: Functions): void {
  const logGroups = (Object.keys(FUNCTIONS) as FunctionName[]).map((name) => functions.get(name).logGroup);
  Object.entries(SAVED_QUERIES).forEach(([name, query], index) => {
    const sort = query.statsStatements === undefined ? { sort: "@timestamp asc" } : { sort: "times desc" };
    new QueryDefinition(scope, `Query${index}`, {
      queryDefinitionName: `Cinderless/${name}`,
      queryString: new QueryString({ ...query, ...sort }),
      logGroups,
    });
  });
}
