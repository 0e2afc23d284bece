/** Common part of all SDK clients. */
type Client = { middlewareStack: { remove(name: string): boolean } };

/**
 * Removes the SDK's log from a client: it copies each input and output for a logger that drops them, which costs more than signing the
 * call.
 */
export function unlogged<Value extends Client>(client: Value): Value {
  client.middlewareStack.remove("loggerMiddleware");
  return client;
}
