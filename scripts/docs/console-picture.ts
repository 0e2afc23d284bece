import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser } from "playwright-core";
import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { backendsDirectoryOf } from "../../local/cinderless.ts";
import { runDemo } from "../../local/demo/run.ts";
import { MAX_COLUMNS, type Screen } from "../../local/screen.ts";
import { openBrowser } from "../../test/console/browser.ts";
import { keepOutputs, startConsole } from "../../test/support/console-command.ts";

/** The picture of the console that README.md shows: the demo's volume whose first backend failed. */

const SILENT: Screen = { write: () => {}, isTty: false, columns: MAX_COLUMNS, paint: (_style, text) => text };

/**
 * Runs the demo, and takes the picture in an installed Chromium before the demo's cloud stops.
 *
 * @returns a PNG
 * @throws Error when a volume of the demo did not end as it should
 */
export async function consolePicture(): Promise<Uint8Array> {
  const [directory, browser] = await Promise.all([mkdtemp(path.join(tmpdir(), "cinderless-picture-")), openBrowser()]);
  const { signal } = new AbortController();
  const options = { keep: false, json: true, failWith: "VolumeBackendAPIException" };
  let picture: Uint8Array | undefined;
  try {
    const isGood = await runDemo({
      options,
      directory,
      screen: SILENT,
      stream: process.stdout,
      signal,
      onResult: async (cloud) => {
        picture = await takePicture(browser, cloud, directory);
      },
    });
    if (!isGood || picture === undefined) {
      throw new Error("the demo's volumes did not end as they should: see `npm run demo`");
    }
    return picture;
  } finally {
    await browser.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function takePicture(browser: Browser, cloud: EmbeddedCloud, directory: string): Promise<Uint8Array> {
  const { PATH = "", HOME = "" } = process.env;
  keepOutputs(directory, cloud);
  const command = await startConsole({ cwd: directory, env: { PATH, HOME } });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, colorScheme: "light" });
    await page.goto(command.url);
    await page.getByRole("link", { name: "second-try" }).click();
    await page.getByRole("button", { name: /^Attempt 1/ }).click();
    await page.locator('g.node[data-mark="caught"]').first().waitFor();
    await page.getByRole("heading", { level: 1 }).click();
    // The directory of this run is in a temporary place of this machine; elsewhere a backend's is a mount.
    await page.evaluate(`(${showMountInPlaceOf})(${JSON.stringify(backendsDirectoryOf(directory))})`);
    return await page.screenshot();
  } finally {
    await command.end("SIGINT");
  }
}

/** Runs in the page: a path below the directory is shown below the mount point of a deployment. */
const showMountInPlaceOf = `(directory) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { currentNode } = texts;
    currentNode.data = currentNode.data.replaceAll(directory, "/mnt/volumes");
  }
}`;
