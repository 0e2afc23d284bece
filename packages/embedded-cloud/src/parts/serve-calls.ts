import { parentPort } from "node:worker_threads";
import type { PartRequest, PartResponse } from "./part-thread.ts";

/** Methods of a part, run inside its thread. Parameters come from this cloud's own code and are not checked again. */
export type PartMethods = Readonly<Record<string, (parameters: never) => unknown>>;

/** Answers the calls that the main thread makes through its PartThread. */
export function serveCalls(methods: PartMethods): void {
  const port = parentPort;
  if (!port) throw new Error("a part runs in a worker thread only");
  const answer = async (request: PartRequest): Promise<PartResponse> => {
    try {
      const method = methods[request.method];
      if (!method) throw new Error(`unknown method ${request.method}`);
      return { id: request.id, result: await method(request.parameters as never) };
    } catch (error) {
      const { message, code } = error as { message: string; code?: unknown };
      return { id: request.id, error: { message, ...(typeof code === "string" ? { code } : {}) } };
    }
  };
  port.on("message", (request: PartRequest) => {
    void answer(request).then((response) => port.postMessage(response));
  });
}
