import { vi } from "vitest";

/** Metrics that functions write in CloudWatch's embedded metric format from now on: name, value and dimensions of each. */
export function watchMetrics(): { written: () => Record<string, unknown>[]; forget: () => void } {
  const lines: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
  return {
    written: () =>
      lines.map((line) => {
        const { _aws: _directive, ...values } = JSON.parse(line) as Record<string, unknown>;
        return values;
      }),
    forget: () => void (lines.length = 0),
  };
}
