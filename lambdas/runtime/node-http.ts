/**
 * Replaces `node:http` in the bundles. An import of it reads all of its exports, and one of them, `WebSocket`, makes Node load its whole
 * client of WebSockets: 15 to 30 ms of processor time in each cold start. This reads only the exports that functions use. The SDK's handler
 * of HTTP uses both, for endpoints without TLS.
 */
export const { Agent, request } = process.getBuiltinModule("node:http");
