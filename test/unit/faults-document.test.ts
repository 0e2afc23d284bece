import { format } from "oxfmt";
import { expect, it } from "vitest";
import { documentOf } from "../../verify/faults/document.ts";
import { FAULT_NAMES, type Summary } from "../../verify/faults/summary.ts";

it("is written as the formatter leaves it", async () => {
  const square = { cells: 2, violated: 1, slowestSeconds: 3720, ends: { available: 1, error: 1 } };
  const rows: Summary["rows"] = [
    { functionName: "CreateRawVolume", squares: { "dies after": square } },
    { functionName: "AuditBackends", squares: {} },
  ];
  const document = documentOf(
    { rows, faults: [...FAULT_NAMES] },
    { cells: 19_000, of: 19_000, pairs: 4000, violated: 1 },
    1,
  );
  expect(document).toContain("! AE 1h02");
  const { code, errors } = await format("fault-matrix.md", document, { printWidth: 120 });
  expect(errors).toEqual([]);
  expect(code).toBe(document);
});
