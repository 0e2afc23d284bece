import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeError } from "../../core/errors.ts";
import { foreignErrorName, foreignText } from "../../core/text/foreign-text.ts";
import { MASK, maskAddress, maskSecretText } from "../../core/text/secrets.ts";

const SECRET = "gK3cr3t9";

describe("text of other services", () => {
  it("is one line without control, bidirectional and invisible characters", () => {
    expect(foreignText("a\r\n\tb\u001B[31m\u0085c\u2028d\u2029e\u0000")).toBe("a b [31m c d e");
    expect(foreignText("a\u202Eb\u2066c\u200Fd\uFEFFe\u00ADf\uD800g")).toBe("abcdefg");
    expect(foreignText("caf\u00E9 \u{1F600}")).toBe("caf\u00E9 \u{1F600}");
  });

  it("loses a secret whose key was split by invisible characters", () => {
    expect(foreignText(`pass\u200Bword=${SECRET}`)).toBe(`password=${MASK}`);
    expect(foreignText(`pass\u202Eword=${SECRET}`)).toBe(`password=${MASK}`);
  });

  it("is cut to its bound in no character's middle", () => {
    expect(foreignText("abc", 2)).toBe("a\u2026");
    expect(foreignText("a\u{1F600}b", 3)).toBe("a\u2026");
    expect(foreignText("x".repeat(100_000))).toHaveLength(2_000);
  });

  it("stays as it is when it passes again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const once = foreignText(text);
        expect(foreignText(once)).toBe(once);
      }),
    );
  });

  it("is what every error is described by", () => {
    const error = Object.assign(new Error(`X-Auth-Token: ${SECRET}\nline`), { name: "Bad\u001B Name" });
    expect(describeError(error)).toEqual({ name: "Error", message: `X-Auth-Token: ${MASK} line` });
    expect(describeError(`password=${SECRET}`).message).not.toContain(SECRET);
    expect(foreignErrorName("Lambda.Unknown")).toBe("Lambda.Unknown");
    expect(foreignErrorName(undefined)).toBe("Error");
  });
});

describe("a secret in a text", () => {
  it.each([
    `Authorization: Bearer ${SECRET}`,
    `"Authorization": "Bearer ${SECRET}"`,
    `proxy-authorization: Basic ${SECRET}`,
    `the token ${SECRET}${SECRET}${SECRET} is not valid`,
    `Bearer ${SECRET}`,
    `https://h/x?X-Amz-Signature=${SECRET}`,
    `X-Amz-Signature=${SECRET}`,
    `https://h/x?${SECRET}`,
    `https://h/x#${SECRET}`,
    `https://me:${SECRET}@h/x`,
    `https:me:${SECRET}@h/x`,
    `(https://me:${SECRET}@h/x)`,
    `me:${SECRET}@h`,
    `jdbc:mysql://me:${SECRET}@h/db`,
    `"password": "two words ${SECRET}"`,
    `"password": "an escape \\" ${SECRET}"`,
    `"password": "cut off ${SECRET}`,
    `{\\"auth_token\\":\\"two words ${SECRET}\\"}`,
    `'passwords': ['${SECRET}', 'x']`,
    `["auth_token", "${SECRET}"]`,
    `auth_token%3D${SECRET}`,
    `%7B%22auth_token%22%3A%20%22${SECRET}%22%7D`,
    `<auth_token>${SECRET}</auth_token>`,
    `pwd=${SECRET}`,
    `the token is ${SECRET}${SECRET}${SECRET}`,
    `password ${SECRET}${SECRET}${SECRET} refused`,
    `Set-Cookie: ${SECRET}`,
    `gAAAAAB${SECRET}`,
    `eyJhbGciOiJIUzI1.${SECRET}.${SECRET}`,
  ])("is masked: %s", (text) => {
    expect(maskSecretText(text)).not.toContain(SECRET);
    expect(maskSecretText(text)).toContain(MASK);
  });

  it.each([
    "volume 5b2f4c1e-9d3a-4f60-8a71-000000000001 is on node@first#pool",
    "see https://docs.example/v2/images/5b2f",
    "s3://bucket/key was not found at 2026-01-01T00:00:00.000Z",
    "basic authentication failed",
    "the token was refused",
    "the password is missing",
    "the list of tokens, passwords and secrets is empty",
    "5 tokens > 4 tokens",
    "connect ECONNREFUSED 127.0.0.1:80",
    "Expected ',' or '}' after property value in JSON at position 24 (line 1 column 25)",
  ])("is not seen where there is none: %s", (text) => {
    expect(maskSecretText(text)).toBe(text);
  });

  it("is masked by parsing in an address, which keeps its host and path", () => {
    expect(maskAddress("https://u:p@h:8080/a/b?c=d#e")).toBe("https://***@h:8080/a/b?***#***");
    expect(maskAddress("https:u:p@h")).toBe("https://***@h/");
    expect(maskAddress("https://h/a")).toBe("https://h/a");
  });
});
