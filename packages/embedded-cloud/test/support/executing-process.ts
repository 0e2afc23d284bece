import { StartExecutionCommand } from "@aws-sdk/client-sfn";
import { deploy, resource } from "./fixtures.ts";
import { INTERRUPTIBLE } from "./running-executions.ts";

/** A process of its own that has an execution under way, says so, and waits to be killed. */
const [dataDirectory = ""] = process.argv.slice(2);
const { cloud, sfn } = await deploy(INTERRUPTIBLE, { dataDirectory });
const input = JSON.stringify({ fail: false });
await sfn.send(new StartExecutionCommand({ stateMachineArn: resource(cloud, "Machine"), name: "killed", input }));
process.stdout.write("started\n");
