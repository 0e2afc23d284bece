import { isJsonObject, objectOrEmpty, textOf } from "../json.ts";
import type { JsonObject } from "../json.ts";
import { arnOf, physicalName } from "../physical-names.ts";
import { prepareDefinition } from "../states/asl-definition.ts";
import type { ResourceHandler } from "./resource-handler.ts";
import { unsupported } from "./resource-handler.ts";

/** AWS::StepFunctions::StateMachine, Standard. Logging and tracing are accepted without effect. */
export const stepFunctionsStateMachine: ResourceHandler = {
  properties: [
    "StateMachineName",
    "StateMachineType",
    "DefinitionString",
    "Definition",
    "DefinitionSubstitutions",
    "RoleArn",
    "LoggingConfiguration",
    "TracingConfiguration",
    "EncryptionConfiguration",
    "Tags",
  ],
  identify: ({ logicalId, properties }, context) => {
    const name = textOf(properties["StateMachineName"], physicalName(context, logicalId, 80));
    const arn = arnOf(context, "states", `stateMachine:${name}`);
    return { ref: arn, attributes: { Arn: arn, Name: name, StateMachineRevisionId: "INITIAL" } };
  },
  check: ({ properties }) => {
    const type = properties["StateMachineType"] ?? "STANDARD";
    const prepared = prepareDefinition(definitionText(properties));
    return [
      ...(type === "STANDARD" ? [] : [unsupported(`StateMachineType ${textOf(type)}`)]),
      ...("problems" in prepared ? prepared.problems.map((problem) => `property DefinitionString: ${problem}`) : []),
    ];
  },
  deploy: async ({ properties }, { ref, attributes }, { stateMachines }) => {
    const prepared = prepareDefinition(definitionText(properties));
    if ("problems" in prepared) throw new Error(prepared.problems.join("; "));
    await stateMachines.deploy({
      arn: ref,
      name: attributes["Name"] ?? "",
      roleArn: textOf(properties["RoleArn"], ""),
      prepared,
      loggingConfiguration: loggingConfiguration(objectOrEmpty(properties["LoggingConfiguration"])),
    });
  },
};

function definitionText(properties: JsonObject): string {
  const { DefinitionString: text, Definition: object, DefinitionSubstitutions: substitutions } = properties;
  const source = typeof text === "string" ? text : JSON.stringify(object ?? null);
  if (!isJsonObject(substitutions)) return source;
  return source.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => {
    const value = substitutions[name];
    return value === undefined ? whole : JSON.stringify(textOf(value)).slice(1, -1);
  });
}

function loggingConfiguration({ Level, IncludeExecutionData }: JsonObject): JsonObject {
  return { level: Level ?? "OFF", includeExecutionData: IncludeExecutionData ?? false };
}

/** AWS::StepFunctions::StateMachineVersion: the machine itself under the ARN of its version. */
export const stepFunctionsStateMachineVersion: ResourceHandler = {
  properties: ["StateMachineArn", "StateMachineRevisionId", "Description"],
  identify: ({ properties }) => {
    const arn = `${textOf(properties["StateMachineArn"])}:1`;
    return { ref: arn, attributes: { Arn: arn } };
  },
};

/**
 * AWS::StepFunctions::StateMachineAlias: another name under which executions of the machine are started. There is one version here, so an
 * alias points to it.
 */
export const stepFunctionsStateMachineAlias: ResourceHandler = {
  properties: ["Name", "Description", "DeploymentPreference"],
  identify: ({ properties }) => {
    const arn = `${aliasedMachine(properties)}:${textOf(properties["Name"])}`;
    return { ref: arn, attributes: { Arn: arn } };
  },
  deploy: ({ properties }, { ref }, { stateMachines }) => stateMachines.addAlias(ref, aliasedMachine(properties)),
};

function aliasedMachine({ DeploymentPreference: preference }: JsonObject): string {
  return textOf(objectOrEmpty(preference)["StateMachineVersionArn"]).replace(/:\d+$/, "");
}
