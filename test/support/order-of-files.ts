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

/** The order of the files of a project. With `--sequence.shuffle` the seed alone decides it; projects still run one after another. */
export class OrderOfFiles extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { shuffle, seed } = this.ctx.config.sequence;
    const rankOf = ({ moduleId }: TestSpecification): string | number => {
      const name = path.basename(moduleId, ".test.ts");
      return shuffle === true
        ? hashOf(`${seed} ${name}`)
        : LONGEST.includes(name)
          ? LONGEST.indexOf(name)
          : LONGEST.length;
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
