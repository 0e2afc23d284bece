import { describe, expect, it } from "vitest";
import { MASK, maskSecrets, maskSecretText } from "../../core/secrets.ts";
import { endsSoon } from "../support/ends-soon.ts";

describe("a document", () => {
  it("keeps values that are not secrets, and the shape", () => {
    const document = { size: 1, name: null, tags: ["a", true], spec: { volume_id: "v" } };
    expect(maskSecrets(document)).toEqual(document);
  });

  it.each(["auth_token", "X-Auth-Token", "adminPass", "password", "CHAPPASSWORD", "client_secret", "access_key"])(
    "has the value of %s masked, however deep it is",
    (key) => {
      expect(maskSecrets({ list: [{ [key]: "s3cr3t" }] })).toEqual({ list: [{ [key]: MASK }] });
    },
  );

  it("that nests without end is cut", () => {
    let deep: unknown = "s3cr3t";
    for (let level = 0; level < 5_000; level += 1) {
      deep = [deep];
    }
    expect(JSON.stringify(maskSecrets(deep))).not.toContain("s3cr3t");
  });
});

describe("a text", () => {
  it.each([
    '{"auth_token": "s3cr3t", "size": 1',
    '{\\"auth_token\\":\\"s3cr3t\\"}',
    "'password' : 's3cr3t'",
    "os_password=s3cr3t&user=me",
    "X-Auth-Token: s3cr3t",
  ])("%s loses its secret", (text) => {
    const masked = maskSecretText(text);
    expect(masked).not.toContain("s3cr3t");
    expect(masked).toContain(MASK);
  });

  it("without secrets stays as it is", () => {
    const text = 'Unexpected token in "volume_id": nothing here';
    expect(maskSecretText(text)).toBe(text);
  });

  it("that was made to be slow is masked at once", () => {
    expect(endsSoon(() => maskSecretText("token".repeat(50_000)))).toBe("token".repeat(50_000));
    expect(endsSoon(() => maskSecretText(`password${" ".repeat(250_000)}`))).toMatch(/^password/);
  });
});
