import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseCreateVolumeMessage } from "../../core/requests/messages.ts";

const page = readFileSync(new URL("../../docs/messages.md", import.meta.url), "utf8");

test("the message that the page on messages shows is read as it stands, and so is the shortest one", () => {
  const [shown = ""] = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => json ?? "");
  expect(parseCreateVolumeMessage(shown)).toMatchObject(JSON.parse(shown));
  const sent = /--message-body '(\{.*?\})'\n/s.exec(page)?.[1] ?? "";
  const body = sent.replace("'$ID'", "4b8f2f3e-5a0e-4f0e-9a7f-0a3b9d1c2e4f");
  expect(parseCreateVolumeMessage(body)).toMatchObject({ context: { project_id: "demo" }, image_id: null });
});
