import { describe, expect, it } from "vitest";
import { isPlainAddress, MASK, maskAddress, maskSecrets, maskSecretText } from "../../core/text/secrets.ts";
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

  it.each([
    ["auth_secret", "glance/caller", "glance/caller"],
    ["auth_secret", null, null],
    ["auth_secret", "gAAAAABlZ", MASK],
    ["auth_secret", 7, MASK],
    ["auth_secret", { name: "glance/caller" }, MASK],
    ["auth_token", "glance/caller", MASK],
    ["auth_token", null, MASK],
  ])("keeps of %s the name of a secret, and nothing else: %j becomes %j", (key, value, masked) => {
    expect(maskSecrets({ [key]: value })).toEqual({ [key]: masked });
  });

  it.each([
    ["lists", (inner: unknown) => [inner]],
    ["objects", (inner: unknown) => ({ of: inner })],
  ])("keeps what a hundred %s hold, and cuts what nests deeper", (_what, around) => {
    const nested = (levels: number): unknown =>
      Array.from({ length: levels }).reduce((inner) => around(inner), 1 as unknown);
    expect(maskSecrets(nested(100))).toEqual(nested(100));
    expect(JSON.stringify(maskSecrets(nested(101)))).toBe(JSON.stringify(nested(101)).replace("1", `"${MASK}"`));
  });

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

  it.each([
    ["eyJhbGciOiJI.eyJzdWIi.c2ln", MASK],
    ["(eyJhbGciOiJI.eyJzdWIi)", `(${MASK})`],
    ["a-eyJhbGciOiJI.x.y.z", `a-${MASK}.z`],
    ["v.eyJhbGciOiJI.x", `v.${MASK}`],
    ["eyJhbGciOiJI", "eyJhbGciOiJI"],
    ["eyJhbGc.eyJzdWI.c2ln", "eyJhbGc.eyJzdWI.c2ln"],
    ["aeyJhbGciOiJI.x.y", "aeyJhbGciOiJI.x.y"],
  ])("%s has its JSON Web Tokens masked", (text, masked) => {
    expect(maskSecretText(text)).toBe(masked);
  });

  it("without secrets stays as it is", () => {
    const text = 'Unexpected token in "volume_id": nothing here';
    expect(maskSecretText(text)).toBe(text);
  });

  it("that was made to be slow is masked at once", () => {
    expect(endsSoon(() => maskSecretText("token".repeat(50_000)))).toBe("token".repeat(50_000));
    expect(endsSoon(() => maskSecretText(`password${" ".repeat(250_000)}`))).toMatch(/^password/);
    expect(endsSoon(() => maskSecretText("eyJ-".repeat(65_000)))).toBe("eyJ-".repeat(65_000));
    expect(endsSoon(() => maskSecretText("eyJhbGciOiJ.".repeat(20_000)))).toMatch(/^\*\*\*(?:\.\*\*\*)+/);
  });
});

describe("a plain address", () => {
  it.each(["https://h", "http://h:9292/v2/images/1", "s3://bucket/key", "HTTPS://h/p"])("is %s", (text) => {
    expect(isPlainAddress(text)).toBe(true);
  });

  it.each([
    "ftp://h/p",
    "xhttps://h/p",
    "https+x://h/p",
    "https:h/p",
    "https://h/p?",
    "https://h/p?a=1",
    "https://h/p#",
    "https://h/p#f",
    "https://u@h/p",
    "https://:w@h/p",
    "https://h\\p",
    "https://h/a b",
    " https://h/p",
    "https://h/p\n",
    "no address",
    "",
  ])("is not %j", (text) => {
    expect(isPlainAddress(text)).toBe(false);
  });
});

describe("a text that is not an address", () => {
  it.each([
    ["user:s3cr3t@host/path", `${MASK}@host/path`],
    ["//user:s3cr3t@host/path", `//${MASK}@host/path`],
    ["user:s3cr3t@host/path?token=1", `${MASK}@host/path?${MASK}`],
    ["user:s3cr3t@host/path?a\nb", `${MASK}@host/path?${MASK}`],
    ["a://?token=1", `a://?${MASK}`],
    ["user@host", "user@host"],
    ["12:30", "12:30"],
    ["what?why", "what?why"],
  ])("%j becomes %j", (text, masked) => {
    expect(maskAddress(text)).toBe(masked);
  });
});
