import { ENVIRONMENT, type EnvironmentKey } from "../../core/settings/environment.ts";

/**
 * A variable that the stack sets.
 *
 * @throws Error that names the variable when it is not set: the function was deployed without it.
 */
export function environmentVariable(key: EnvironmentKey): string {
  const name = ENVIRONMENT[key];
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(`Environment variable ${name} is not set`);
  }
  return value;
}
