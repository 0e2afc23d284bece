/** A place where a program has paused, as Chrome DevTools Protocol describes it. */
export type Pause = { functionName: string; location: { lineNumber: number } };

type Message = { id?: number; method?: string; params?: { callFrames?: Pause[]; hitBreakpoints?: string[] } };

/**
 * Attaches to a program that waits for a debugger, runs it to a breakpoint, and then to its end. Breakpoints use the Chrome DevTools
 * Protocol, as editors do.
 *
 * @param address of the debugger, as Node prints it
 * @param source path that the program's file ends with
 * @param line from 0
 * @returns the first pause at the breakpoint
 * @throws Error when the program ends without a pause there
 */
export function runToBreakpoint(address: string, source: string, line: number): Promise<Pause> {
  const socket = new WebSocket(address);
  const send = (id: number, method: string, params: object = {}): void =>
    socket.send(JSON.stringify({ id, method, params }));
  const urlRegex = `${source.replaceAll(".", String.raw`\.`)}$`;
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => {
      send(1, "Runtime.enable");
      send(2, "Debugger.enable");
      send(3, "Debugger.setBreakpointByUrl", { urlRegex, lineNumber: line });
      send(4, "Runtime.runIfWaitingForDebugger");
    });
    socket.addEventListener("message", ({ data }) => {
      const { method, params = {} } = JSON.parse(String(data)) as Message;
      if (method === "Debugger.paused") {
        const [frame] = params.callFrames ?? [];
        if (frame !== undefined && (params.hitBreakpoints ?? []).length > 0) {
          resolve(frame);
        }
        send(5, "Debugger.resume");
      }
      if (method === "Runtime.executionContextDestroyed") {
        // The program waits for its debugger to leave.
        socket.close();
      }
    });
    socket.addEventListener("close", () => reject(new Error(`the program ended without a pause at ${source}:${line}`)));
    socket.addEventListener("error", () => reject(new Error(`the debugger at ${address} does not answer`)));
  });
}
