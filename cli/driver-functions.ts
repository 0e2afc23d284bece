import { InvokeCommand } from "@aws-sdk/client-lambda";
import type { InvocationResponse, LambdaClient } from "@aws-sdk/client-lambda";
import type { AuditReport, AuditRequest } from "../core/audit/report.ts";
import type { ConnectionInfo, SnapshotRecord, VolumeRecord } from "../core/records.ts";
import type { CreateSnapshotRequest, DriverFunctions, ExtendVolumeRequest } from "./connection.ts";
import { CliError } from "./errors.ts";

/** Names of the functions; read at the call, so that a missing one affects only its own command. */
export type DriverFunctionNames = {
  createSnapshot(): string;
  deleteSnapshot(): string;
  deleteVolume(): string;
  extendVolume(): string;
  callDriver(): string;
  auditBackends(): string;
};

/** The required part of the Lambda client. */
export type LambdaInvoker = Pick<LambdaClient, "send">;

/** The functions that have the drivers, called through the Lambda Invoke API. */
export class LambdaDriverFunctions implements DriverFunctions {
  readonly #client: LambdaInvoker;
  readonly #names: DriverFunctionNames;

  constructor(client: LambdaInvoker, names: DriverFunctionNames) {
    this.#client = client;
    this.#names = names;
  }

  async createSnapshot(request: CreateSnapshotRequest): Promise<SnapshotRecord> {
    const name = this.#names.createSnapshot();
    const answer = await this.#invoke(name, request);
    if (!isSnapshot(answer)) {
      throw new CliError(`function ${name} did not answer with a snapshot`);
    }
    return answer;
  }

  async deleteSnapshot(snapshotId: string): Promise<void> {
    await this.#invoke(this.#names.deleteSnapshot(), { snapshot_id: snapshotId });
  }

  async deleteVolume(volumeId: string): Promise<"deleted" | "requested"> {
    const answer = await this.#invoke(this.#names.deleteVolume(), { volume_id: volumeId });
    const isRequested =
      typeof answer === "object" && answer !== null && "outcome" in answer && answer.outcome === "requested";
    return isRequested ? "requested" : "deleted";
  }

  async extendVolume(request: ExtendVolumeRequest): Promise<VolumeRecord> {
    const name = this.#names.extendVolume();
    const answer = await this.#invoke(name, request);
    if (!isVolume(answer)) {
      throw new CliError(`function ${name} did not answer with a volume`);
    }
    return answer;
  }

  async initializeConnection(volume: VolumeRecord): Promise<ConnectionInfo> {
    const name = this.#names.callDriver();
    const request = { call: "initializeConnection", host: volume.host, volume, connector: {} };
    const answer = await this.#invoke(name, request);
    if (!isConnection(answer)) {
      throw new CliError(`function ${name} did not answer with a connection`);
    }
    return answer;
  }

  async auditBackends(request: Partial<AuditRequest>): Promise<AuditReport> {
    const name = this.#names.auditBackends();
    const answer = await this.#invoke(name, request);
    if (!isAuditReport(answer)) {
      throw new CliError(`function ${name} did not answer with a report`);
    }
    return answer;
  }

  /** @throws CliError under the name of the function's own error. */
  async #invoke(functionName: string, payload: Record<string, unknown>): Promise<unknown> {
    const command = new InvokeCommand({
      FunctionName: functionName,
      Payload: Buffer.from(JSON.stringify(payload)),
    });
    const response = await this.#client.send(command);
    const answer = payloadOf(functionName, response);
    if (response.FunctionError !== undefined) {
      throw functionError(functionName, answer);
    }
    return answer;
  }
}

function payloadOf(functionName: string, { Payload }: InvocationResponse): unknown {
  const body = Buffer.from(Payload ?? []).toString("utf8");
  try {
    return body === "" ? null : JSON.parse(body);
  } catch {
    throw new CliError(`function ${functionName} answered with something that is not valid JSON`);
  }
}

/** `{errorType, errorMessage}`, as Lambda's runtimes report what a handler has thrown. */
function functionError(functionName: string, answer: unknown): CliError {
  const { errorType, errorMessage } = (typeof answer === "object" && answer !== null ? answer : {}) as Record<
    string,
    unknown
  >;
  const name = typeof errorType === "string" && errorType !== "" ? errorType : "FunctionError";
  const message =
    typeof errorMessage === "string" && errorMessage !== ""
      ? errorMessage
      : `function ${functionName} failed without a message`;
  return new CliError(message, { name });
}

function isSnapshot(value: unknown): value is SnapshotRecord {
  return typeof value === "object" && value !== null && "id" in value && "volume_id" in value && "status" in value;
}

function isVolume(value: unknown): value is VolumeRecord {
  return typeof value === "object" && value !== null && "id" in value && "attempts" in value && "status" in value;
}

function isConnection(value: unknown): value is ConnectionInfo {
  return typeof value === "object" && value !== null && "driver_volume_type" in value && "data" in value;
}

function isAuditReport(value: unknown): value is AuditReport {
  return typeof value === "object" && value !== null && "findings" in value && "totals" in value && "hosts" in value;
}
