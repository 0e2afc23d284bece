/** The engine of the states language, for running a checked definition without a deployment. */
export { StateMachine } from "aws-local-stepfunctions";
export { prepareDefinition } from "./asl-definition.ts";
export { StateError } from "./state-error.ts";
