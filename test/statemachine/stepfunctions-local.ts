import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { DeleteStateMachineCommand, SFNClient } from "@aws-sdk/client-sfn";
import { EmbeddedCloudError, startEmbeddedCloud } from "@cinderless/embedded-cloud";
import { createMachines, differences, runByApi } from "./run-by-api.ts";
import { SCENARIOS } from "./scenarios.ts";
import { scriptedFunctions } from "./scripted-functions.ts";

const LAMBDA_PORT = process.env["LAMBDA_PORT"] ?? "9103";

const USAGE = `Usage: STEPFUNCTIONS_ENDPOINT=URL npm run test:stepfunctions-local [-- --slow]

Runs the scenarios of the workflow by a Step Functions API. While it runs, the scripted functions are served by Lambda's Invoke API
on http://127.0.0.1:${LAMBDA_PORT} (LAMBDA_PORT chooses another port), which the engine has to be pointed at:

  AWS Step Functions Local, as jar (serves on 8083):
    java -jar StepFunctionsLocal.jar --lambda-endpoint http://127.0.0.1:${LAMBDA_PORT}
    STEPFUNCTIONS_ENDPOINT=http://127.0.0.1:8083 npm run test:stepfunctions-local
  or as container:
    docker run --rm --network host -e LAMBDA_ENDPOINT=http://127.0.0.1:${LAMBDA_PORT} amazon/aws-stepfunctions-local
    STEPFUNCTIONS_ENDPOINT=http://127.0.0.1:8083 npm run test:stepfunctions-local
  the embedded cloud's own API, which this command itself starts on that port:
    STEPFUNCTIONS_ENDPOINT=http://127.0.0.1:${LAMBDA_PORT} npm run test:stepfunctions-local

An engine that refuses the definition, as Step Functions Local 1.4.0 to 1.7.9 does, gets the one of
\`npm run asl -- --step-functions-local\`. Step Functions Local listens on all interfaces, and so does its container with
--network host, which is Linux only: docs/embedded-cloud.md says how to confine it.

  --slow  also the scenarios whose waits take minutes`;

/** All at once: most of a scenario's time is its waits. */
async function main(endpoint: string, slow: boolean): Promise<number> {
  const cloud = await startEmbeddedCloud({
    template: { Resources: scriptedFunctions(SCENARIOS) },
    assetDirectory: tmpdir(),
    environmentsPerFunction: 1,
    ports: { compute: Number(LAMBDA_PORT) },
  });
  const client = new SFNClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const name = `create-volume-${Date.now().toString(36)}`;
  try {
    const machineOf = await createMachines(client, name, SCENARIOS, (reason) => {
      console.log(`the engine refuses the definition, which is converted for Step Functions Local: ${reason}`);
    });
    const chosen = SCENARIOS.flatMap((scenario, index) =>
      scenario.slow === true && !slow ? [] : [{ scenario, index }],
    );
    const results = await Promise.all(
      chosen.map(async ({ scenario, index }) => {
        const wrong = differences(scenario, await runByApi(client, machineOf(scenario), scenario, index));
        console.log(`${wrong.length === 0 ? "ok  " : "FAIL"} ${scenario.name}`);
        wrong.forEach((line) => console.log(`     ${line}`));
        return wrong.length === 0;
      }),
    );
    const failed = results.filter((ok) => !ok).length;
    console.log(
      `${results.length - failed} of ${results.length} scenarios as expected, ${SCENARIOS.length - results.length} left out`,
    );
    for (const stateMachineArn of new Set(SCENARIOS.map(machineOf))) {
      await client.send(new DeleteStateMachineCommand({ stateMachineArn }));
    }
    return failed === 0 ? 0 : 1;
  } finally {
    client.destroy();
    await cloud.stop();
  }
}

try {
  const { values } = parseArgs({
    options: { slow: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
  });
  const endpoint = process.env["STEPFUNCTIONS_ENDPOINT"];
  if (values.help) {
    console.log(USAGE);
  } else if (endpoint === undefined || !URL.canParse(endpoint)) {
    console.error(
      `STEPFUNCTIONS_ENDPOINT is ${endpoint === undefined ? "not set" : `not a valid URL: ${endpoint}`}.\n\n${USAGE}`,
    );
    process.exitCode = 1;
  } else {
    process.exitCode = await main(endpoint, values.slow);
  }
} catch (error) {
  const endpoint = process.env["STEPFUNCTIONS_ENDPOINT"] ?? "";
  if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") {
    console.error(
      `test:stepfunctions-local cannot run: no Step Functions engine answers at STEPFUNCTIONS_ENDPOINT=${endpoint}. No npm package has\n` +
        "AWS Step Functions Local: docs/embedded-cloud.md says where AWS publishes it, and --help how to start it.",
    );
    process.exit(1);
  }
  const hint = error instanceof EmbeddedCloudError ? "" : `, from STEPFUNCTIONS_ENDPOINT=${endpoint}`;
  console.error(`test:stepfunctions-local: ${error instanceof Error ? error.message : String(error)}${hint}`);
  process.exitCode = 1;
}
