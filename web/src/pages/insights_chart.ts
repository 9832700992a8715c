// From rows of an Insights result to series over time.
import type { ResultRow } from "../api/query";
import type { Series } from "../ui/chart";

export const shown = (state: { columns: string[] }) => state.columns.filter((c) => c !== "@ptr");

// Result times are UTC text without a zone.
export const resultTime = (text: string | undefined) => Date.parse((text ?? "").replace(" ", "T") + "Z");

// Rows with one column of time slots and columns of numbers; other columns name the series.
export function chartSeries(state: { rows: ResultRow[]; columns: string[] }): Series[] {
  const timeColumn = state.columns.find((c) => /^(bin|datefloor|dateceil)\(/.test(c) || c === "@timestamp" || /^\d{4}-\d\d-\d\d \d\d:/.test(state.rows[0]?.[c] ?? ""));
  if (!timeColumn) return [];
  const isNumber = (c: string) => state.rows.some((r) => r[c] !== undefined) && state.rows.every((r) => r[c] === undefined || r[c] === "" || Number.isFinite(Number(r[c])));
  const values = shown(state).filter((c) => c !== timeColumn && isNumber(c));
  const labels = shown(state).filter((c) => c !== timeColumn && !values.includes(c));
  const found = new Map<string, [number, number][]>();
  for (const row of state.rows) {
    const t = resultTime(row[timeColumn]);
    if (Number.isNaN(t)) continue;
    for (const column of values) {
      if (row[column] === undefined || row[column] === "") continue;
      const name = [...labels.map((l) => row[l] ?? ""), ...(values.length > 1 || labels.length === 0 ? [column] : [])].join(" ");
      const points = found.get(name) ?? [];
      points.push([t, Number(row[column])]);
      found.set(name, points);
    }
  }
  return [...found].slice(0, 60).map(([label, points]) => {
    points.sort((a, b) => a[0] - b[0]);
    return { label, times: points.map((p) => p[0]), values: points.map((p) => p[1]) };
  });
}
