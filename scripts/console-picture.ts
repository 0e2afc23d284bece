import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CHROMIUM, openBrowser } from "../test/console/browser.ts";
import { startScene } from "../test/console/scene.ts";

/**
 * Takes the picture of the console that README.md shows, in an installed Chromium: a volume whose first backend failed. It is not part of
 * `npm run docs`, which writes the same bytes on every machine: a picture depends on the fonts.
 */
const PICTURE = fileURLToPath(new URL("../docs/console.png", import.meta.url));

/** Runs in the page: a path below the directory is shown below the mount point of a deployment. */
const showMountInPlaceOf = `(directory) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { currentNode } = texts;
    currentNode.data = currentNode.data.replaceAll(directory + "/backends", "/mnt/volumes");
  }
}`;

if (CHROMIUM === undefined) {
  throw new Error("there is no Chromium here; Debian: apt-get install chromium");
}
const [scene, browser] = await Promise.all([startScene(), openBrowser()]);
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, colorScheme: "light" });
  await page.goto(scene.url);
  await page.getByRole("link", { name: "second-try" }).click();
  await page.getByRole("button", { name: /^Attempt 1/ }).click();
  await page.locator('g.node[data-mark="caught"]').first().waitFor();
  await page.getByRole("heading", { level: 1 }).click();
  // The directory of this run is in a temporary place of this machine; elsewhere a backend's is a mount.
  await page.evaluate(`(${showMountInPlaceOf})(${JSON.stringify(scene.directory)})`);
  await writeFile(PICTURE, await page.screenshot());
} finally {
  await browser.close();
  await scene.stop();
}
