import { readFile } from "node:fs/promises";
import type { Call } from "../../bench/tally.ts";
import { isAllowed, type IamRequest, type Statement } from "./iam.ts";
import { iamRequests } from "./iam-requests.ts";

/** Roles of people by their policies in `docs/policies`; each policy also allows what those before it do. */
export const ROLES = ["read-only", "creator", "operator"] as const;

/** See {@link ROLES}. */
export type Role = (typeof ROLES)[number];

const ARN_OF: Readonly<Record<string, string>> = {
  dynamodb: "arn:aws:dynamodb:us-east-1:000000000000:table/",
  sqs: "arn:aws:sqs:us-east-1:000000000000:",
  lambda: "arn:aws:lambda:us-east-1:000000000000:function:",
  s3: "arn:aws:s3:::",
};

/** The policies, and which of their actions were needed so far. */
export class Policies {
  readonly #statements: ReadonlyMap<Role, readonly Statement[]>;
  readonly #used = new Map<Role, Set<string>>(ROLES.map((role) => [role, new Set()]));

  constructor(statements: ReadonlyMap<Role, readonly Statement[]>) {
    this.#statements = statements;
  }

  /**
   * The least role that may make all of these calls.
   *
   * @throws Error that lists the requests which no role allows
   */
  leastRole(calls: readonly Call[]): Role | undefined {
    const requests = calls.flatMap(requestsOf);
    const all = ROLES.flatMap((role) => this.#of(role));
    const refused = requests.filter((request) => !isAllowed(all, request));
    if (refused.length > 0) {
      throw new Error(`no policy allows ${JSON.stringify(refused)}`);
    }
    const least = ROLES.findIndex((_role, index) => {
      const held = ROLES.slice(0, index + 1).flatMap((role) => this.#of(role));
      return requests.every((request) => isAllowed(held, request));
    });
    for (const role of ROLES.slice(0, least + 1)) {
      this.#note(role, requests);
    }
    return ROLES[least];
  }

  /** Actions of a policy that no call needed yet. */
  unused(role: Role): string[] {
    const actions = new Set(this.#of(role).flatMap(({ Action }) => [Action].flat()));
    return [...actions].filter((action) => this.#used.get(role)?.has(action) !== true);
  }

  #note(role: Role, requests: readonly IamRequest[]): void {
    for (const statement of this.#of(role)) {
      for (const action of [statement.Action].flat()) {
        const narrowed = { ...statement, Action: action };
        if (requests.some((request) => isAllowed([narrowed], request))) {
          this.#used.get(role)?.add(action);
        }
      }
    }
  }

  #of(role: Role): readonly Statement[] {
    return this.#statements.get(role) ?? [];
  }
}

/** Reads the policies of `docs/policies`. */
export async function readPolicies(): Promise<Policies> {
  const read = async (role: Role): Promise<[Role, Statement[]]> => {
    const text = await readFile(new URL(`../../docs/policies/${role}.json`, import.meta.url), "utf8");
    return [role, (JSON.parse(text) as { Statement: Statement[] }).Statement];
  };
  return new Policies(new Map(await Promise.all(ROLES.map(read))));
}

/** The IAM requests of a call, with full ARNs. */
function requestsOf(call: Call): IamRequest[] {
  return iamRequests(call, {}).map((request) => ({
    ...request,
    resource: `${ARN_OF[call.service] ?? ""}${request.resource}`,
  }));
}
