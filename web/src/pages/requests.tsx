// Requests: the last API calls, with their errors; and which operations have been called or miss.
import { useMemo } from "preact/hooks";

import { control } from "../api/client";
import { param, setParams } from "../app/router";
import { formatDuration, formatTime, refreshTick } from "../app/time";
import { Badge, Card, formatNumber, Page, Problem, Search, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ExportButtons, Table, type Column } from "../ui/table";
import type { RequestRow } from "./overview";

interface Coverage {
  services: Record<string, { name: string; implemented: boolean; calls: number }[]>;
}

const rowTime = (r: RequestRow) => (typeof r.time === "number" ? r.time : Date.parse(r.time));

export default function Requests() {
  const tab = (param("tab", "calls").value || "calls") as "calls" | "coverage";
  return (
    <Page title="Requests">
      <Tabs tabs={[["calls", "Last calls"], ["coverage", "Operations"]] as const} at={tab} onChange={(t) => setParams({ tab: t }, true)} />
      {tab === "calls" ? <Calls /> : <Operations />}
    </Page>
  );
}

function Calls() {
  const filter = param("filter").value;
  const onlyErrors = param("only").value === "errors";
  const read = useLoad(async () => (await control<{ requests: RequestRow[] }>("GET", "requests?limit=1000")).requests, [refreshTick.value]);
  const rows = useMemo(() => (read.value ?? []).filter((r) => !onlyErrors || r.status >= 400), [read.value, onlyErrors]);
  const columns: Column<RequestRow>[] = [
    { id: "time", title: "Time", value: rowTime, cell: (r) => formatTime(rowTime(r)) },
    { id: "status", title: "Status", value: (r) => r.status, cell: (r) => <Badge tone={r.status >= 500 ? "bad" : r.status >= 400 ? "warn" : "ok"}>{r.status}</Badge> },
    { id: "service", title: "Service", value: (r) => r.service },
    { id: "operation", title: "Operation", value: (r) => r.operation },
    { id: "duration", title: "Took", numeric: true, value: (r) => r.duration_ms, cell: (r) => (r.duration_ms === undefined ? "" : formatDuration(r.duration_ms)) },
    { id: "client", title: "Client", value: (r) => r.client },
    { id: "error", title: "Error", value: (r) => r.error },
  ];
  return (
    <>
      <div class="row">
        <Search label="Filter requests" value={filter} onInput={(v) => setParams({ filter: v })} />
        <label class="row"><input type="checkbox" checked={onlyErrors} onChange={(e) => setParams({ only: e.currentTarget.checked ? "errors" : undefined })} /> Only failed calls</label>
        <span class="grow" />
        <ExportButtons name="requests" columns={columns} rows={rows} />
      </div>
      {read.error && <Problem error={read.error} />}
      <Table label="Requests" columns={columns} rows={rows} rowKey={(r, i) => r.id ?? String(i)} filter={filter} />
    </>
  );
}

function Operations() {
  const read = useLoad(() => control<Coverage>("GET", "operations"), [refreshTick.value]);
  return (
    <div class="grid">
      {read.error && <Problem error={read.error} />}
      {Object.entries(read.value?.services ?? {}).map(([service, operations]) => (
        <Card title={`${service}: ${operations.filter((o) => o.implemented).length} of ${operations.length}`}>
          <ul class="plain columns">
            {operations.map((o) => (
              <li class="row">
                <Badge tone={o.implemented ? "ok" : "idle"}>{o.implemented ? "yes" : "not yet"}</Badge> <span class="grow">{o.name}</span> {o.calls > 0 && <small>{formatNumber(o.calls)} calls</small>}
              </li>
            ))}
          </ul>
        </Card>
      ))}
    </div>
  );
}
