import { badRequest } from "./errors.ts";
import type { Call } from "./http.ts";
import { isObject, type Schema, validateBody } from "./validation.ts";

/**
 * The one key of an action's body, which names the action, with what it holds.
 *
 * @param schemas what each action's key holds
 * @throws ApiError 400 for no key, several keys, an unknown key, or a wrong value
 */
export function readAction<Name extends string>(
  call: Call,
  schemas: Readonly<Record<Name, Schema>>,
): { name: Name; value: unknown } {
  const names = isObject(call.body) ? Object.keys(call.body) : [];
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw badRequest("Malformed request body");
  }
  if (!Object.hasOwn(schemas, name)) {
    throw badRequest(
      `There is no such action: ${name.slice(0, 255)}. Verify the request body and Content-Type header and try again.`,
    );
  }
  const known = name as Name;
  validateBody({ type: "object", properties: { [known]: schemas[known] }, required: [known] }, call.body);
  return { name: known, value: (call.body as Record<string, unknown>)[known] };
}
