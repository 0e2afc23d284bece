import { LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { LambdaDriverFunctions } from "../../cli/driver-functions.ts";
import type { LocalCinderless } from "../../local/cinderless.ts";

/** The services that a test uses in addition to records and queue. */
export type ServiceClients = {
  lambda: LambdaClient;
  s3: S3Client;
  /** The functions that the command line calls. */
  functions: LambdaDriverFunctions;
  destroy(): void;
};

/** Clients of the embedded cloud. */
export function serviceClients({ outputs, endpoints }: LocalCinderless["cloud"]): ServiceClients {
  const client = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
  const lambda = new LambdaClient({ ...client, endpoint: endpoints.lambda });
  const s3 = new S3Client({ ...client, endpoint: endpoints.s3, forcePathStyle: true });
  const functions = new LambdaDriverFunctions(lambda, {
    createSnapshot: () => outputs["CreateSnapshotFunctionName"] ?? "",
    deleteSnapshot: () => outputs["DeleteSnapshotFunctionName"] ?? "",
    deleteVolume: () => outputs["DeleteVolumeFunctionName"] ?? "",
    extendVolume: () => outputs["ExtendVolumeFunctionName"] ?? "",
    callDriver: () => outputs["CallDriverFunctionName"] ?? "",
    auditBackends: () => outputs["AuditBackendsFunctionName"] ?? "",
  });
  return {
    lambda,
    s3,
    functions,
    destroy: () => {
      lambda.destroy();
      s3.destroy();
    },
  };
}
