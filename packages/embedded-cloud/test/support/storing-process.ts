import { deploy } from "./fixtures.ts";
import { RESOURCES, store } from "./stored-data.ts";

/** A process of its own that stores data in the directory it is given, says so, and waits to be killed. */
const [dataDirectory = ""] = process.argv.slice(2);
await store(await deploy(RESOURCES, { dataDirectory }));
process.stdout.write("stored\n");
