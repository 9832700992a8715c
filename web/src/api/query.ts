// Runs a Logs Insights query: starts it, polls with growing pauses, reads the pages of the result.
import { logs } from "./client";

export type ResultRow = Record<string, string>;
export interface QueryStatistics {
  recordsMatched?: number;
  recordsScanned?: number;
  estimatedRecordsSkipped?: number;
  bytesScanned?: number;
  estimatedBytesSkipped?: number;
  logGroupsScanned?: number;
}
export interface QueryState {
  id: string;
  status: string;
  rows: ResultRow[];
  columns: string[];
  statistics: QueryStatistics;
  ms: number;
}
interface Results {
  status: string;
  results?: { field: string; value: string }[][];
  statistics?: QueryStatistics;
  nextToken?: string;
}

const running = new Set(["Scheduled", "Running", "Unknown"]);
export const isRunning = (state: { status: string } | undefined) => state !== undefined && running.has(state.status);

// While it runs only a first screen of rows travels.
const rowsWhileRunning = 200;

export async function runQuery(
  what: { groups?: string[]; from: number; to: number; text: string },
  signal: AbortSignal,
  onState?: (state: QueryState) => void,
): Promise<QueryState> {
  const began = performance.now();
  const { queryId } = await logs<{ queryId: string }>(
    "StartQuery",
    { ...(what.groups?.length ? { logGroupNames: what.groups } : {}), startTime: Math.floor(what.from / 1000), endTime: Math.ceil(what.to / 1000), queryString: what.text },
    signal,
  );
  const columns: string[] = [];
  const take = (cells: { field: string; value: string }[]) => {
    const row: ResultRow = {};
    for (const { field, value } of cells) {
      row[field] = value;
      if (!columns.includes(field)) columns.push(field);
    }
    return row;
  };
  for (let wait = 10; ; wait = Math.min(wait * 1.6, 400)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    let answer = await logs<Results>("GetQueryResults", { queryId, maxItems: rowsWhileRunning }, signal);
    const rows = (answer.results ?? []).map(take);
    if (!running.has(answer.status))
      while (answer.nextToken) {
        answer = await logs<Results>("GetQueryResults", { queryId, nextToken: answer.nextToken }, signal);
        for (const cells of answer.results ?? []) rows.push(take(cells));
      }
    const state: QueryState = { id: queryId, status: answer.status, rows, columns: [...columns], statistics: answer.statistics ?? {}, ms: performance.now() - began };
    onState?.(state);
    if (!running.has(state.status)) return state;
  }
}
