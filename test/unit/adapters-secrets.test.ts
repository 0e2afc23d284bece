import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, it } from "vitest";
import { EnvironmentSecrets } from "../../adapters/secrets/environment.ts";
import { SecretsManagerSecrets } from "../../adapters/secrets/secrets-manager.ts";

describe("secrets in Secrets Manager", () => {
  const client = mockClient(SecretsManagerClient);
  let now = 0;
  const make = () =>
    new SecretsManagerSecrets(new SecretsManagerClient({ region: "us-east-1" }), { now: () => new Date(now) });

  beforeEach(() => {
    client.reset();
    now = 0;
  });

  it("are asked for by their name", async () => {
    client.on(GetSecretValueCommand, { SecretId: "cinderless/glance" }).resolves({ SecretString: "{}" });
    expect(await make().read("cinderless/glance")).toBe("{}");
  });

  it("are kept for a minute", async () => {
    client.on(GetSecretValueCommand).resolvesOnce({ SecretString: "old" }).resolves({ SecretString: "new" });
    const secrets = make();
    await secrets.read("a");
    now = 59_999;
    expect(await secrets.read("a")).toBe("old");
    now = 60_000;
    expect(await secrets.read("a")).toBe("new");
  });

  it("are asked for again at once when they are to be renewed", async () => {
    client.on(GetSecretValueCommand).resolvesOnce({ SecretString: "old" }).resolves({ SecretString: "new" });
    const secrets = make();
    await secrets.read("a");
    expect(await secrets.read("a", true)).toBe("new");
    expect(await secrets.read("a")).toBe("new");
  });

  it("that cannot be read are named, with the error's name", async () => {
    client
      .on(GetSecretValueCommand)
      .rejects(Object.assign(new Error("arn:aws:..."), { name: "AccessDeniedException" }));
    await expect(make().read("a")).rejects.toThrow("secret a cannot be read: AccessDeniedException");
  });

  it("that are binary are refused", async () => {
    client.on(GetSecretValueCommand).resolves({ SecretBinary: new Uint8Array(1) });
    await expect(make().read("a")).rejects.toThrow("secret a is not a string");
  });
});

describe("secrets in the environment", () => {
  it("are texts, or what a text would hold", async () => {
    const secrets = new EnvironmentSecrets('{"a":"{\\"token\\":\\"t\\"}","b":{"password":"p"}}');
    expect(await secrets.read("a")).toBe('{"token":"t"}');
    expect(await secrets.read("b")).toBe('{"password":"p"}');
  });

  it("that are not there are named", async () => {
    await expect(new EnvironmentSecrets("{}").read("toString")).rejects.toThrow("no secret toString");
  });

  it.each(["s3cr3t", '["s3cr3t"]', '{"a":["s3cr3t"]}', '{"a":5}'])("%s are refused, and not shown", (json) => {
    expect(() => new EnvironmentSecrets(json)).toThrow(/^(?!.*s3cr3t)/);
    expect(() => new EnvironmentSecrets(json)).toThrow("not a JSON object");
  });
});
