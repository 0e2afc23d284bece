import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The callers of the recording by their tokens. */
export const CALLERS: Readonly<Record<string, { project: string; roles: readonly string[] }>> = {
  member: { project: "<project>", roles: ["member", "reader"] },
  reader: { project: "<project>", roles: ["reader"] },
  "member of another project": { project: "<other-project>", roles: ["member", "reader"] },
  admin: { project: "<admin-project>", roles: ["admin", "member", "reader"] },
};

/** Ids of the projects. */
export const PROJECTS: Readonly<Record<string, string>> = {
  "<project>": "0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a",
  "<other-project>": "0b0b0b0b0b0b4b0b8b0b0b0b0b0b0b0b",
  "<admin-project>": "0c0c0c0c0c0c4c0c8c0c0c0c0c0c0c0c",
};

/** A Keystone that knows {@link CALLERS} and answers nothing but what a token is. */
export async function startKeystone(): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const caller = CALLERS[String(request.headers["x-subject-token"]).replaceAll("_", " ")];
    const body = caller && {
      token: {
        user: { id: "0d0d0d0d0d0d4d0d8d0d0d0d0d0d0d0d" },
        project: { id: PROJECTS[caller.project] },
        roles: caller.roles.map((name) => ({ name })),
        expires_at: "2999-01-01T00:00:00.000000Z",
      },
    };
    response.writeHead(body === undefined ? 401 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(body ?? { error: { code: 401 } }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v3`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
