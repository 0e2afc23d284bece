import type { Command } from "commander";
import type { ImageReport } from "../../adapters/file/check-image.ts";
import { CliError } from "../errors.ts";
import { oneLine } from "../safe-text.ts";
import { formatBytes } from "../format.ts";
import { renderJson } from "../output.ts";
import type { CliContext } from "../session.ts";

const EXAMPLES = `
Examples:
  $ cinderless image check disk.qcow2
  $ cinderless image check disk.img --format raw --json

The exit status is 1 when the file cannot become a volume.
`;

type CheckOptions = { format?: string; allowExtendedL2?: boolean };

/** `image check`: checks a local file the way an image copy would. It needs no deployment. */
export function registerImageCheck(image: Command, context: CliContext): void {
  image
    .command("check")
    .summary("check whether a local image file could become a volume")
    .description("Check a local file the way an image copy would, and print the findings.")
    .argument("<file>", "file of the image")
    .option("--format <format>", "disk format to check; by default the format of its content")
    .option("--allow-extended-l2", "as a backend with image_allow_extended_l2")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: CheckOptions, command: Command) => {
      // Imported here, so that other commands start without it.
      const { checkImageFile } = await import("../../adapters/file/check-image.ts");
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      const report = await checkImageFile(file, options.format, {
        isConversionDisabled: false,
        allowExtendedL2: options.allowExtendedL2 ?? false,
      });
      context.stdout.write(json ? renderJson(report) : renderReport(report));
      if (report.error !== null) {
        throw new CliError(report.error.message, { name: report.error.name });
      }
    });
}

/** One line for each known property. */
function renderReport(report: ImageReport): string {
  const { qcow2 } = report;
  const size = (bytes: number | null | undefined): string | undefined =>
    bytes === null || bytes === undefined ? undefined : `${formatBytes(bytes)} (${bytes} bytes)`;
  const rows: [string, string | undefined][] = [
    ["file", report.file],
    ["size", size(report.size)],
    ["format", report.disk_format],
    ["content", report.begins_with === null ? report.content : `${report.content}, ${report.begins_with}`],
    ["version", qcow2?.version.toString()],
    ["virtual size", size(qcow2 === null ? report.virtual_size : qcow2.virtual_size)],
    ["cluster size", size(qcow2?.cluster_size)],
    ["backing file", qcow2?.backing_file ?? undefined],
    ["encrypted", qcow2?.encrypted === true ? "yes" : undefined],
    ["snapshots", qcow2 === null || qcow2.snapshots === 0 ? undefined : String(qcow2.snapshots)],
    ["features", qcow2?.incompatible_features.map((bit) => `incompatible bit ${bit}`).join(", ") || undefined],
    ["data clusters", qcow2?.data_clusters?.toString()],
    ["compressed", qcow2?.compressed_clusters?.toString()],
    ["smallest volume", report.min_volume_gb === null ? undefined : `${report.min_volume_gb} GiB`],
    ["acceptable", report.acceptable ? "yes" : "no"],
  ];
  return rows
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(16)} ${oneLine(value)}\n`]))
    .join("");
}
