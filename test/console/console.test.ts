import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CHROMIUM, openBrowser, violationsOn } from "./browser.ts";
import { HOSTILE_NAME, moveCopy, type Scene, startScene } from "./scene.ts";

/** The console in a browser, against Cinderless in the embedded cloud. */

if (CHROMIUM === undefined) {
  console.warn("The console's page is not tested: there is no Chromium here (Debian: apt-get install chromium).");
}

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const PATHS = ["/volumes", "/backends", "/alarms", "/dead-letters", "/audit", "/errors/NoValidBackend"];

describe.skipIf(CHROMIUM === undefined)("the console", () => {
  let scene: Scene;
  let browser: Browser;
  let page: Page;
  /** All requests and page errors of all tests; the last test checks them. */
  const requested: string[] = [];
  const problems: string[] = [];

  beforeAll(async () => {
    [scene, browser] = await Promise.all([startScene(), openBrowser()]);
  });

  afterAll(async () => {
    await browser?.close();
    await scene?.stop();
  });

  afterEach(async () => {
    await page.close();
  });

  async function open(path: string, viewport = DESKTOP, colorScheme: "light" | "dark" = "light"): Promise<void> {
    await page?.close();
    page = await browser.newPage({ viewport, colorScheme });
    page.on("request", (request) => requested.push(request.url()));
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("console", (message) => {
      // A browser reports each answer that is a failure; the page shows those.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        problems.push(message.text());
      }
    });
    await page.goto(scene.url);
    await page.getByRole("heading", { name: "Volumes", level: 1 }).waitFor();
    await page.goto(scene.url.replace(/#.*$/, `#${path}`));
  }

  /** Waits for it; fails by the browser's own message when it does not come. */
  async function isShown(locator: Locator, timeout = 10_000): Promise<boolean> {
    await locator.waitFor({ timeout });
    return true;
  }

  const row = (name: string) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
  const button = (name: string) => page.getByRole("button", { name, exact: true });

  test("lists every volume with its status, and counts them", async () => {
    await open("/volumes");
    await row("database").getByText("available").waitFor();
    await row("too-large").getByText("NoValidBackend").waitFor();
    await button("1 error").click();
    await page.getByRole("status").getByText("1 volume", { exact: true }).waitFor();
    expect(await row("database").count()).toBe(0);
  });

  test("finds volumes by what is typed, and sorts them by a column that is pressed", async () => {
    await open("/volumes");
    await page.getByRole("searchbox").fill("rack1 gnp");
    await page.getByRole("status").getByText("1 volume", { exact: true }).waitFor();
    await page.getByRole("searchbox").fill("");
    await button("Size").click();
    const sizes = page.getByRole("columnheader", { name: "Size" });
    await expect.poll(() => sizes.getAttribute("aria-sort")).toBe("descending");
    await expect.poll(() => page.getByRole("rowheader").first().textContent()).toContain("too-large");
    await button("Size").click();
    await expect.poll(() => page.getByRole("rowheader").first().textContent()).toContain("gnp.exe");
  });

  test("shows a hostile name as it is written, and makes nothing of it", async () => {
    await open(`/volumes/${scene.ids.hostile}`);
    const heading = page.getByRole("heading", { level: 1 });
    await expect.poll(() => heading.textContent()).toBe(HOSTILE_NAME.replace("\u202E", "\uFFFD"));
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.title()).toBe("Volumes – Cinderless");
  });

  test("shows a copy move on within two seconds, and a volume that is new", async () => {
    await open("/volumes");
    await moveCopy(scene, 4);
    await page.getByText("4.0 GiB of 8.0 GiB").first().waitFor({ timeout: 2000 });
    const id = await scene.cinderless.create({ sizeGib: 1, displayName: "newcomer", availabilityZone: "nova" });
    await scene.cinderless.settled(id);
    expect(await isShown(row("newcomer").getByText("available"), 4000)).toBe(true);
  });

  test("shows the attempts of a volume, and marks the states that each has been in", async () => {
    await open(`/volumes/${scene.ids["second-try"]}`);
    await page.getByRole("heading", { name: "Workflow of attempt 2" }).waitFor();
    await page.locator('g.node[data-mark="done"]', { hasText: "VolumeCreated" }).waitFor();
    await page.getByText("the array answered 503 Service Unavailable").waitFor();
    await page.getByRole("button", { name: /^Attempt 1/ }).click();
    await page.getByRole("heading", { name: "Workflow of attempt 1" }).waitFor();
    await page.locator('g.node[data-mark="caught"]', { hasText: "CreateRawVolume" }).waitFor();
    await row("CreateRawVolume").getByText("caught").waitFor();
    expect(await isShown(row("RescheduleVolume").getByText("done"))).toBe(true);
  });

  test("shows what a state was given and what it made of it, when it is pressed in the list or in the picture", async () => {
    await open(`/volumes/${scene.ids["second-try"]}`);
    await page.getByRole("button", { name: /^Attempt 1/ }).click();
    await button("CreateRawVolume").click();
    const input = page.getByRole("region", { name: "Input of CreateRawVolume" });
    await input.getByText('"attempt": 1').waitFor();
    await page.getByRole("region", { name: "Cause of CreateRawVolume" }).getByText("503 Service Unavailable").waitFor();
    expect(await button("CreateRawVolume").getAttribute("aria-expanded")).toBe("true");
    await page.locator("g.node", { hasText: "ExtractVolumeSpec" }).first().click();
    await page.getByRole("region", { name: "Output of ExtractVolumeSpec" }).getByText('"volume_spec"').waitFor();
    expect(await input.count()).toBe(0);
  });

  test("shows the notifications of an attempt, and what the create cost", async () => {
    await open(`/volumes/${scene.ids.database}`);
    const sent = page.getByRole("listitem").filter({ hasText: "volume.create.end" });
    await sent.getByText("sent", { exact: true }).waitFor();
    await button("Show the receipt").click();
    const receipt = page.getByRole("table", { name: "Parts of the price" });
    await receipt.getByRole("row", { name: /^CreateRawVolume 0\.0000/ }).waitFor();
    expect(await isShown(receipt.getByRole("row", { name: /^in all 0\.000/ }))).toBe(true);
  });

  test("replays an attempt on this machine, and shows both answers of each call", async () => {
    await open(`/volumes/${scene.ids["second-try"]}`);
    await page.getByRole("button", { name: /^Attempt 1/ }).click();
    await button("Replay on this machine").click();
    await page.getByText("All 5 answers are the recorded ones.").waitFor({ timeout: 30_000 });
    const calls = page.getByRole("table", { name: "Recorded and replayed answers" });
    const failed = calls.getByRole("row").filter({ hasText: "CreateRawVolume" });
    expect(await failed.getByText("the array answered 503", { exact: false }).count()).toBe(2);
    expect(await violationsOn(page)).toEqual([]);
  });

  test("leads from a fault to the page of its error", async () => {
    await open(`/volumes/${scene.ids["too-large"]}`);
    await page.getByText("Meaning").click();
    await page.getByRole("link", { name: "All about NoValidBackend" }).click();
    await page.getByRole("heading", { name: "Errors", level: 1 }).waitFor();
    const chosen = page.getByRole("region", { name: "NoValidBackend" });
    await chosen.getByText("The volume goes to error", { exact: false }).waitFor();
    expect(await row("GlanceConnectionFailed").getByText("uncertain").count()).toBe(1);
  });

  test("says why a volume failed and what that means, and asks before it retries it", async () => {
    await open(`/volumes/${scene.ids["too-large"]}`);
    await page.getByRole("heading", { name: "NoValidBackend" }).waitFor();
    await page.getByText("Meaning").click();
    await page.getByText("The scheduler has no candidate left, or no attempt.", { exact: false }).waitFor();
    await button("Retry").click();
    const dialog = page.getByRole("dialog", { name: "Ask for too-large again?" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(await dialog.count()).toBe(0);
    await button("Retry").click();
    await dialog.getByRole("button", { name: "Retry" }).click();
    await page.getByText("The volume was asked for again.").waitFor();
    expect((await scene.cinderless.settled(scene.ids["too-large"])).status).toBe("error");
  });

  test("sets a volume's status by an operator's word, after a question", async () => {
    const id = await scene.cinderless.create({ sizeGib: 1, displayName: "by-hand", availabilityZone: "nova" });
    await scene.cinderless.settled(id);
    await open(`/volumes/${id}`);
    await button("Reset to error").click();
    await page.getByRole("dialog").getByText("nothing is removed from the backend", { exact: false }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Reset to error" }).click();
    await page.getByText("The status of the volume is error.").waitFor();
    await button("Reset to available").click();
    await page.getByRole("dialog").getByRole("button", { name: "Reset to available" }).click();
    await page.getByText("The status of the volume is available.").waitFor();
    expect((await scene.cinderless.settled(id)).status).toBe("available");
  });

  test("deletes a volume after a question, and says that it is gone", async () => {
    const id = await scene.cinderless.create({ sizeGib: 1, displayName: "short-lived", availabilityZone: "nova" });
    await scene.cinderless.settled(id);
    await open(`/volumes/${id}`);
    await button("Delete").click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    expect(await isShown(page.getByText("The volume is gone.", { exact: false }))).toBe(true);
  });

  test("copies the command that attaches a volume to a virtual machine", async () => {
    await open(`/volumes/${scene.ids.database}`);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await button("Mount and QEMU commands").click();
    await page.getByRole("button", { name: /^Copy the command: Boot/ }).click();
    await page.getByRole("button", { name: /^Copy the command: Boot.*: copied$/ }).waitFor();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    expect(copied).toMatch(/^qemu-system-x86_64 -m 512 -nographic -drive file=\/\S+,format=raw,if=virtio$/);
  });

  test("shows what the backends hold", async () => {
    await open("/backends");
    const pool = page.getByRole("region", { name: /^rack1@ssd#/ });
    await pool.getByText("up", { exact: true }).waitFor();
    await pool.getByText("Provisioned").waitFor();
    expect(await isShown(pool.getByRole("img", { name: /GiB used and .* GiB claimed of 200 GiB/ }))).toBe(true);
  });

  test("says why the scheduler would not take a backend for the newest requests", async () => {
    await open("/backends");
    const pool = page.getByRole("region", { name: /^rack2@array#/ });
    await pool.getByText(/^Skipped now for \d+ of the \d+ newest requests$/).click();
    await pool.getByText("AvailabilityZoneFilter: is in availability zone edge, not in nova").first().waitFor();
    expect(await isShown(pool.getByRole("link", { name: "too-large" }))).toBe(true);
  });

  test("sends a volume's dead letter again from the volume's own page, and says why it is refused", async () => {
    await open(`/volumes/${scene.ids["too-large"]}`);
    await button("Redrive").click();
    await page.getByRole("dialog").getByRole("button", { name: "Redrive" }).click();
    expect(await isShown(page.getByRole("status").getByText(/^InvalidInput: /))).toBe(true);
  });

  test("shows the alarms that are on first, with what the runbook says to do", async () => {
    await open("/alarms");
    const alarm = page.getByRole("region", { name: "DeadLetters", exact: true });
    await alarm.getByText("A message of the scheduler queue could not be", { exact: false }).first().waitFor();
    await alarm.getByText("npx cinderless redrive list shows each with its reason.").waitFor();
    await alarm.locator("code", { hasText: "npx cinderless redrive list" }).waitFor();
    const others = page.getByRole("region", { name: "Not on" });
    expect(await isShown(others.getByRole("listitem").filter({ hasText: "NetsFail" }).getByText("ok"))).toBe(true);
  });

  test("runs an audit", async () => {
    await open("/audit");
    await button("Run now").click();
    expect(await isShown(page.getByText(/volumes and 0 snapshots on 2 backends/))).toBe(true);
  });

  test("says why a dead letter is not sent again, and discards it", async () => {
    await open("/dead-letters");
    const letter = page.getByRole("region", { name: /context is missing/ });
    await letter.getByRole("button", { name: "Resend" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resend" }).click();
    await page
      .getByRole("status")
      .getByText(/^InvalidInput: /)
      .waitFor();
    await letter.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
    expect(await isShown(page.getByText("There are none", { exact: false }))).toBe(true);
  });

  test("is reached by the keyboard alone", async () => {
    await open("/volumes");
    await row("database").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.tagName")).toBe("MAIN");
    await page.getByRole("link", { name: "Backends" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Backends", level: 1 }).waitFor();
    await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("MAIN");
  });

  test.each(["light", "dark"] as const)("has nothing that hinders a screen reader, in %s mode", async (scheme) => {
    const volumes = [scene.ids["second-try"], scene.ids["too-large"], scene.ids["web-root"]];
    for (const path of [...PATHS, ...volumes.map((id) => `/volumes/${id}`)]) {
      await open(path, DESKTOP, scheme);
      await page.getByText("Reading…").waitFor({ state: "detached" });
      expect({ path, violations: await violationsOn(page) }).toEqual({ path, violations: [] });
    }
    await open(`/volumes/${scene.ids.database}`, DESKTOP, scheme);
    await button("Delete").click();
    expect(await violationsOn(page)).toEqual([]);
  });

  test("fits a phone: nothing is wider than its screen", async () => {
    for (const path of [...PATHS, `/volumes/${scene.ids["second-try"]}`, `/volumes/${scene.ids["web-root"]}`]) {
      await open(path, PHONE);
      await page.getByText("Reading…").waitFor({ state: "detached" });
      const width = await page.evaluate("document.documentElement.scrollWidth");
      expect({ path, width }).toEqual({ path, width: PHONE.width });
      expect({ path, violations: await violationsOn(page) }).toEqual({ path, violations: [] });
    }
  });

  test("refuses who has not the token, and says what to do", async () => {
    page = await browser.newPage();
    await page.goto(scene.url.replace(/#.*$/, ""));
    expect(
      await isShown(page.getByRole("alert").getByText("open the address that the command printed", { exact: false })),
    ).toBe(true);
  });

  test("keeps showing the known data when the store is down, and says so; Ctrl-C ends the command", async () => {
    await open("/volumes");
    await row("database").waitFor();
    await scene.cinderless.cloud.stop();
    await page.getByRole("alert").getByText("ConnectionError").waitFor();
    expect(await row("database").count()).toBe(1);
    expect(await scene.interrupt()).toBe(0);
    await page.getByRole("alert").getByText("does not answer", { exact: false }).waitFor();
    expect(await row("database").count()).toBe(1);
  });

  test("sends requests only to its own server, keeps the token out of every address, and has no page error", () => {
    expect(problems).toEqual([]);
    const { origin, hash } = new URL(scene.url);
    const token = hash.replace("#token=", "");
    expect(new Set(requested.map((url) => new URL(url).origin))).toEqual(new Set([origin]));
    expect(requested.filter((url) => url.includes(token) && !url.endsWith(hash))).toEqual([]);
  });
});
