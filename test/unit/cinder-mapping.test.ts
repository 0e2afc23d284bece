import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ERROR_ROUTES } from "../../core/errors.ts";
import { readDefinition } from "../../scripts/docs/definition.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${ROOT}/docs/cinder-mapping.md`, "utf8");

/** `name` (`path`), as the page names what does the work. */
const named = Array.from(page.matchAll(/`(\w+)` \(`([\w./-]+\.ts)`\)/g), ([, name = "", path = ""]) => ({
  name,
  path,
}));
/** The subjects of the tables' rows. */
const rows = Array.from(page.matchAll(/^\| ([^|]*?) +\|/gm), ([, cell = ""]) => cell);
const paths = [...new Set(Array.from(page.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.ts)`/g), ([, path = ""]) => path))];

/** Classes with their own methods, and what else the flow of Cinder's Icehouse release defines. */
const FLOW: Record<string, string[]> = {
  OnFailureRescheduleTask: ["__init__", "execute", "_reschedule", "_post_reschedule", "_pre_reschedule", "revert"],
  ExtractVolumeRefTask: ["execute", "revert"],
  ExtractVolumeSpecTask: ["execute", "revert"],
  NotifyVolumeActionTask: ["execute"],
  CreateVolumeFromSpecTask: [
    "__init__",
    "_handle_bootable_volume_glance_meta",
    "_create_from_snapshot",
    "_enable_bootable_flag",
    "_create_from_source_volume",
    "_copy_image_to_volume",
    "_capture_volume_image_metadata",
    "_create_from_image",
    "_create_raw_volume",
    "execute",
  ],
  CreateVolumeOnFinishTask: ["__init__", "execute"],
};
const FLOW_ERRORS = [
  "ImageCopyFailure",
  "MetadataCopyFailure",
  "MetadataCreateFailure",
  "MetadataUpdateFailure",
  "VolumeNotFound",
  "SnapshotNotFound",
  "VolumeTypeNotFound",
  "ImageUnacceptable",
  "DriverNotInitialized",
  "GlanceMetadataExists",
  "CinderException",
];

describe("the map from Cinder", () => {
  test("names files", () => {
    expect(paths.length).toBeGreaterThan(20);
  });

  test.each(paths)("names %s, which exists", (path) => {
    expect(existsSync(`${ROOT}/${path}`)).toBe(true);
  });

  test.each(named)("finds $name in $path", ({ name, path }) => {
    expect(new RegExp(`\\b${name}\\b`).test(readFileSync(`${ROOT}/${path}`, "utf8"))).toBe(true);
  });

  test.each(Object.entries(FLOW))("has a row for %s and each of its methods", (taskClass, methods) => {
    expect(rows).toContain(`**\`${taskClass}\`**`);
    const missing = methods.filter((method) => !rows.some((row) => row.startsWith(`\`${taskClass}.${method}\``)));
    expect(missing).toEqual([]);
  });

  test.each([...FLOW_ERRORS, "get_flow", "IMAGE_ATTRIBUTES"])("has a row for %s", (name) => {
    expect(rows.some((row) => row.includes(`\`${name}\``))).toBe(true);
  });

  test.each(Object.keys(ERROR_ROUTES))("names the error %s", (name) => {
    expect(page.includes(`\`${name}\``)).toBe(true);
  });

  test("names every state of the workflow", () => {
    const { States } = readDefinition();
    expect(Object.keys(States).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
