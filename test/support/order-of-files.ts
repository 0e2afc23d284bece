import { createHash } from "node:crypto";
import path from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take longest, by project in the order of their start: started last, they would run alone. A clone has no durations yet. */
const LONGEST = [
  "delete-while-creating",
  "start",
  "start-stopping",
  "demo",
  "killed-copies",
  "cli-policies",
  "image-corpus",
  "replay",
  "bad-input",
  "by-api",
  "model-creates",
  "snapshots-at-once",
  "api-at-once",
  "task-sweep-overdue-volumes",
];

/**
 * The order of the files of a project: the longest first, and projects one after another. With `--sequence.shuffle` the seed decides it
 * among the longest, and among the others.
 */
export class OrderOfFiles extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { shuffle, seed } = this.ctx.config.sequence;
    const rankOf = ({ moduleId }: TestSpecification): string => {
      const name = path.basename(moduleId, ".test.ts");
      const place = LONGEST.indexOf(name);
      const within = shuffle === true ? hashOf(`${seed} ${name}`) : String(place).padStart(2, "0");
      return `${place === -1 ? "later" : "first"} ${within}`;
    };
    const sorted = (await super.sort(files)).map((file) => ({ file, project: file.project.name, rank: rankOf(file) }));
    const projects = [...new Set(sorted.map(({ project }) => project))];
    return projects.flatMap((name) =>
      sorted
        .filter(({ project }) => project === name)
        .toSorted((one, other) => (one.rank < other.rank ? -1 : one.rank > other.rank ? 1 : 0))
        .map(({ file }) => file),
    );
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
