import type { ApiDependencies } from "../dependencies.ts";
import type { Route } from "../router.ts";
import { deleteMessage, listMessages, showMessage } from "./messages.ts";

/** First microversion of messages. */
const MESSAGES = 3;

/** Routes below `/messages`. */
export function messageRoutes(deps: ApiDependencies): Route[] {
  const common = { takesBody: false, since: MESSAGES } as const;
  const one = "/messages/{id}";
  return [
    {
      ...common,
      method: "GET",
      path: "/messages",
      policy: "message:get_all",
      handler: (call) => listMessages(deps, call),
    },
    { ...common, method: "GET", path: one, policy: "message:get", handler: (call) => showMessage(deps, call) },
    { ...common, method: "DELETE", path: one, policy: "message:delete", handler: (call) => deleteMessage(deps, call) },
  ];
}
