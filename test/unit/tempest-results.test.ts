import { expect, test } from "vitest";
import { tempestPage } from "../../scripts/docs/tempest.ts";
import { resultsOf } from "../../verify/tempest/results.ts";
import { outcomeOf } from "../../verify/tempest/run-tempest.ts";

const A = "tempest.api.volume.test_volumes_get.VolumesGetTest";
const B = "tempest.api.volume.admin.test_groups.GroupsTest";

test("tests that pass and fail are read with their names, and a failure with the end of its traceback", () => {
  const lines = [
    `{0} ${A}.test_one[id-1,smoke] [0.5s] ... ok`,
    `{0} ${A}.test_two[id-2] [1.5s] ... FAILED`,
    "Traceback (most recent call last):",
    '  File "x.py", line 1, in f',
    "    g()",
    "AssertionError: 1 != 2",
  ];
  const outcome = outcomeOf(lines, [`${A}.test_one`, `${A}.test_two`]);
  expect(outcome).toMatchObject({ passed: [`${A}.test_one`], skipped: [], failed: [{ test: `${A}.test_two` }] });
  expect(outcome.failed[0]?.reason).toContain("AssertionError: 1 != 2");
});

test("the end of a long traceback is kept, whatever was captured after it", () => {
  const lines = [
    `{0} ${A}.test_one[id-1] [1.5s] ... FAILED`,
    "",
    "Captured traceback:",
    "~~~~~~~~~~~~~~~~~~~",
    "    Traceback (most recent call last):",
    "",
    ...Array.from({ length: 12 }, (_frame, index) => `      File "x.py", line ${index}, in f`),
    "",
    "    tempest.lib.exceptions.TimeoutException: Request timed out",
    "",
    "Captured pythonlogging:",
    "    INFO a line of a log",
  ];
  const [failure] = outcomeOf(lines, [`${A}.test_one`]).failed;
  expect(failure?.reason.split("\n").at(-1)).toBe("tempest.lib.exceptions.TimeoutException: Request timed out");
});

test("a skipped test has no time in the output, and a skipped class skips its own tests only", () => {
  const lines = [`{0} ${A}.test_one[id-1] ... SKIPPED: no`, `{1} setUpClass (${B}) ... SKIPPED: not supported`];
  const tests = [`${A}.test_one`, `${B}.test_x`, `${B}.test_y`, `${B}Other.test_z`];
  expect(outcomeOf(lines, tests)).toEqual({
    passed: [],
    skipped: [`${A}.test_one`, `${B}.test_x`, `${B}.test_y`],
    failed: [],
  });
});

test("each test of a tier has a kept result; one whose class could not be prepared has failed", () => {
  const lines = [`{0} ${A}.test_one[id-1] [0.5s] ... ok`, `{0} setUpClass (${B}) [0.1s] ... FAILED`];
  const tests = [`${B}.test_x`, `${A}.test_one`];
  const results = resultsOf(tests, outcomeOf(lines, tests));
  expect(Object.entries(results)).toEqual([
    [`${B}.test_x`, "failed"],
    [`${A}.test_one`, "passed"],
  ]);
  const page = tempestPage({ t2: results });
  expect(page).toContain("1 passed, 0 skipped, 1 failed.");
  expect(page).toMatch(/\| `GroupsTest\.test_x` +\| failed +\|/);
});
