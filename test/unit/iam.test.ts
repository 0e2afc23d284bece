import { describe, expect, it } from "vitest";
import { requestAttributes } from "../../scripts/permissions/request-attributes.ts";
import { isAllowed, type Statement } from "../support/iam.ts";

const TABLE = { "Fn::GetAtt": ["Table", "Arn"] };
const update = (context: Record<string, readonly string[]> = {}) => ({
  action: "dynamodb:UpdateItem",
  resource: "Table",
  context,
});
const allow = (statement: Partial<Statement> = {}): Statement => ({
  Effect: "Allow",
  Action: "dynamodb:UpdateItem",
  Resource: TABLE,
  ...statement,
});

describe("a policy", () => {
  it("allows what it names and nothing else", () => {
    expect(isAllowed([allow()], update())).toBe(true);
    expect(isAllowed([allow()], { ...update(), action: "dynamodb:PutItem" })).toBe(false);
    expect(isAllowed([allow()], { ...update(), resource: "Other" })).toBe(false);
    expect(isAllowed([], update())).toBe(false);
  });

  it("distinguishes a table from its index and a bucket from its objects", () => {
    const index = { "Fn::Join": ["", [TABLE, "/index/by_name"]] };
    expect(isAllowed([allow({ Resource: index })], update())).toBe(false);
    expect(isAllowed([allow({ Resource: index })], { ...update(), resource: "Table/index/by_name" })).toBe(true);
    const objects = { "Fn::Join": ["", [{ "Fn::GetAtt": ["Bucket", "Arn"] }, "/*"]] };
    const get = { action: "s3:GetObject", resource: "Bucket/a/b", context: {} };
    expect(isAllowed([allow({ Action: "s3:GetObject", Resource: objects })], get)).toBe(true);
    expect(isAllowed([allow({ Action: "s3:GetObject", Resource: objects })], { ...get, resource: "Bucket" })).toBe(
      false,
    );
  });

  it("denies whatever another statement allows", () => {
    expect(isAllowed([allow(), allow({ Effect: "Deny" })], update())).toBe(false);
  });

  it("binds every attribute that a request names", () => {
    const bound = allow({ Condition: { "ForAllValues:StringEquals": { "dynamodb:Attributes": ["id", "status"] } } });
    expect(isAllowed([bound], update({ "dynamodb:Attributes": ["id"] }))).toBe(true);
    expect(isAllowed([bound], update({ "dynamodb:Attributes": ["id", "fence"] }))).toBe(false);
  });

  it("binds keys by their form", () => {
    const bound = allow({ Condition: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["node@first#*"] } } });
    expect(isAllowed([bound], update({ "dynamodb:LeadingKeys": ["node@first#pool"] }))).toBe(true);
    expect(isAllowed([bound], update({ "dynamodb:LeadingKeys": ["node@second#pool"] }))).toBe(false);
  });

  it("binds what a request may have returned, if it asks for anything", () => {
    const bound = allow({ Condition: { StringEqualsIfExists: { "dynamodb:ReturnValues": "NONE" } } });
    expect(isAllowed([bound], update())).toBe(true);
    expect(isAllowed([bound], update({ "dynamodb:ReturnValues": ["NONE"] }))).toBe(true);
    expect(isAllowed([bound], update({ "dynamodb:ReturnValues": ["ALL_NEW"] }))).toBe(false);
  });

  it("lets no condition pass that is not understood", () => {
    const strange = allow({ Condition: { NumericLessThan: { "s3:max-keys": "10" } } });
    expect(() => isAllowed([strange], update())).toThrow("NumericLessThan");
  });
});

describe("the attributes of a write", () => {
  it("are the top-level ones of its key and of both expressions", () => {
    const input = {
      Key: { id: { S: "1" } },
      UpdateExpression: "SET #attempts.#number.#outcome = :outcome REMOVE #progress",
      ConditionExpression: "#fence = :fence AND size(#locks) = :zero",
      ExpressionAttributeNames: {
        "#attempts": "attempts",
        "#number": "1",
        "#outcome": "outcome",
        "#progress": "progress",
        "#fence": "fence",
        "#locks": "locks",
      },
    };
    expect(requestAttributes(input)).toEqual(["attempts", "fence", "id", "locks", "progress"]);
  });

  it("are all of an item that is put", () => {
    expect(requestAttributes({ Item: { id: {}, name: {} } })).toEqual(["id", "name"]);
  });

  it("are not overlooked where no placeholder stands for one", () => {
    expect(() => requestAttributes({ UpdateExpression: "SET secret = :value" })).toThrow("secret");
  });
});
