import { describe, expect, it } from "vitest";
import { allowedOrigins, parseImageServices, secretsOf } from "../../core/images/image-services.ts";

const SERVER = "http://glance.example:9292";

describe("image services", () => {
  it("are the bucket alone, when nothing is said", () => {
    expect(parseImageServices({})).toEqual({ default: "bucket" });
  });

  it("are Glance first, when it is named", () => {
    expect(parseImageServices({ glance: { api_servers: [SERVER] } })).toEqual({
      default: "glance",
      glance: {
        api_servers: [SERVER],
        allowed_hosts: [],
        num_retries: 3,
        allowed_direct_url_schemes: [],
        auth: { type: "none" },
      },
    });
  });

  it("are the bucket first, when that is said", () => {
    expect(parseImageServices({ default: "bucket", glance: { api_servers: [SERVER] } }).default).toBe("bucket");
  });

  it.each<[string, unknown, string]>([
    ["no object", 1, "image_services"],
    ["another service", { swift: {} }, "swift"],
    ["Glance as default without a Glance", { default: "glance" }, "not configured"],
    ["another default", { default: "s3" }, "bucket or glance"],
    ["no server", { glance: { api_servers: [] } }, "at least one API server"],
    ["a server without a scheme", { glance: { api_servers: ["glance:9292"] } }, "api_servers must be an http"],
    ["a server with a password", { glance: { api_servers: ["http://u:s3cr3t@h"] } }, "without credentials"],
    ["a server with a query", { glance: { api_servers: ["http://h/?a=1"] } }, "without credentials or query"],
    ["another option", { glance: { api_servers: [SERVER], num_retry: 1 } }, "num_retry"],
    ["too many retries", { glance: { api_servers: [SERVER], num_retries: 11 } }, "num_retries"],
    ["a host with a path", { glance: { api_servers: [SERVER], allowed_hosts: ["h/x"] } }, "allowed_hosts"],
    ["a host with a wildcard", { glance: { api_servers: [SERVER], allowed_hosts: ["*"] } }, "allowed_hosts"],
    ["a host with no such port", { glance: { api_servers: [SERVER], allowed_hosts: ["h:99999"] } }, "allowed_hosts"],
    ["a scheme of files", { glance: { api_servers: [SERVER], allowed_direct_url_schemes: ["file"] } }, "direct_url"],
    ["another authentication", { glance: { api_servers: [SERVER], auth: { type: "magic" } } }, "auth"],
    [
      "a password in the open",
      { glance: { api_servers: [SERVER], auth: { type: "none", password: "x" } } },
      "password",
    ],
    [
      "a fixed token without its secret",
      { glance: { api_servers: [SERVER], auth: { type: "fixed_token" } } },
      "secret",
    ],
    [
      "an invalid prefix",
      { glance: { api_servers: [SERVER], auth: { type: "passed_token", secret_prefix: "tokens*" } } },
      "secret_prefix",
    ],
  ])("are refused with %s", (_what, value, told) => {
    const refused = expect.objectContaining({ name: "InvalidInput", message: expect.stringContaining(told) });
    expect(() => parseImageServices(value)).toThrow(refused);
    expect(() => parseImageServices(value)).not.toThrow("s3cr3t");
  });
});

it("addresses lead to the API servers and to the hosts that are allowed, which speak https unless they say otherwise", () => {
  const { glance } = parseImageServices({
    glance: {
      api_servers: ["http://a.example:9292/image", "https://b.example"],
      allowed_hosts: ["c.example", "d.example:9292", "http://e.example:80"],
    },
  });
  expect(glance === undefined ? [] : [...allowedOrigins(glance)]).toEqual([
    "http://a.example:9292",
    "https://b.example",
    "https://c.example",
    "https://d.example:9292",
    "http://e.example",
  ]);
});

it.each([
  [{ type: "none" }, {}],
  [{ type: "trusted_headers" }, {}],
  [{ type: "passed_token" }, { prefix: "cinderless/tokens/" }],
  [{ type: "fixed_token", secret: "t" }, { name: "t" }],
  [{ type: "application_credential", auth_url: "https://k", secret: "c" }, { name: "c" }],
  [{ type: "password", auth_url: "https://k", username: "u", project_name: "p", secret: "s" }, { name: "s" }],
])("%j reads %j", (auth, secrets) => {
  const { glance } = parseImageServices({ glance: { api_servers: [SERVER], auth } });
  expect(glance && secretsOf(glance.auth)).toEqual(secrets);
});
