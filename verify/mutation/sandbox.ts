import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { mkdir } from "node:fs/promises";
import type { Bug } from "./catalog.ts";
import type { Synthesis } from "./synthesis.ts";

/** The output of a command, and its exit status. */
export type Ran = { status: number; stdout: string; stderr: string };

/** Longer than any of the commands takes on a busy machine; a bug may make one hang. */
const COMMAND_TIMEOUT_MS = 600_000;

/** Where {@link Sandbox.of} leaves the deployment. */
const DEPLOYMENT = "synthesised-deployment.json";

/**
 * A copy of the repository's tracked files in a temporary directory, with the installed packages linked, in which a bug can be put
 * and commands run.
 */
export class Sandbox {
  readonly #root: string;
  readonly #synthesis: Synthesis;

  private constructor(root: string, synthesis: Synthesis) {
    this.#root = root;
    this.#synthesis = synthesis;
  }

  /** Copies the files that git tracks or would add, as they are in the working tree, and the deployment that they synthesise. */
  static async of(repository: string, synthesis: Synthesis): Promise<Sandbox> {
    const root = await mkdtemp(join(tmpdir(), "cinderless-bugs-"));
    const { stdout } = await promisify(execFile)(
      "git",
      ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
      {
        cwd: repository,
        maxBuffer: 2 ** 26,
      },
    );
    for (const file of stdout.split("\0").filter((name) => name !== "")) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await cp(join(repository, file), join(root, file)).catch(ignoreDeleted);
    }
    await symlink(join(repository, "node_modules"), join(root, "node_modules"), "dir");
    await writeFile(join(root, DEPLOYMENT), JSON.stringify(synthesis.deployment));
    return new Sandbox(root, synthesis);
  }

  /** Where the deployment is while a file is broken; empty when the file takes part in synthesising it. */
  deploymentFor(file: string): string {
    return this.#synthesis.files.has(file) ? "" : DEPLOYMENT;
  }

  /** Runs `work` while the bug is in the copy. @throws Error when the bug does not apply to the source exactly once */
  async with<Result>(bug: Bug, work: () => Promise<Result>): Promise<Result> {
    const path = join(this.#root, bug.file);
    const source = await readFile(path, "utf8");
    const places = source.split(bug.find).length - 1;
    if (places !== 1) {
      throw new Error(`"find" of bug ${bug.id} occurs ${places} times in ${bug.file}, not once`);
    }
    await writeFile(
      path,
      source.replace(bug.find, () => bug.replace),
    );
    try {
      return await work();
    } finally {
      await writeFile(path, source);
    }
  }

  /** Runs a script of the copy with this Node. Never throws for its exit status; a time-out counts as status 124. */
  run(args: readonly string[]): Promise<Ran> {
    return new Promise((resolve) => {
      const options = { cwd: this.#root, maxBuffer: 2 ** 28, timeout: COMMAND_TIMEOUT_MS, env: environment() };
      execFile(process.execPath, [...args], options, (error, stdout, stderr) => {
        const status = error === null ? 0 : error.killed === true ? 124 : Number(error.code ?? 1);
        resolve({ status, stdout, stderr });
      });
    });
  }

  /** The text of a file that a command has left, which is removed; empty when there is none. */
  async read(file: string): Promise<string> {
    const path = join(this.#root, file);
    const text = await readFile(path, "utf8").catch(() => "");
    await rm(path, { force: true });
    return text;
  }

  /** Removes the copy. */
  async remove(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** Packages are compiled once for all commands. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: "1", CI: "true", NODE_COMPILE_CACHE: join(tmpdir(), "cinderless-bugs-modules") };
}

function ignoreDeleted(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") {
    throw error;
  }
}
