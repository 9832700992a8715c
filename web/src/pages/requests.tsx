// Requests: the last API calls, with their errors; which operations were called and which miss.
import { useMemo, useState } from "preact/hooks";

import { control } from "../api/client";
import { param, setParams } from "../app/router";
import { formatDuration, formatTime, refreshTick } from "../app/time";
import { Badge, Card, Command, Dialog, Empty, cli, endpoint, formatBytes, formatNumber, Page, Problem, quote, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import type { RequestRow } from "./overview";

interface Coverage {
  services: Record<string, { name: string; implemented: boolean; calls: number }[]>;
}

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
  const onlyErrors = param("only").value === "errors";
  const own = param("own").value === "yes";
  const [open, setOpen] = useState<RequestRow>();
  const read = useLoad(async () => (await control<{ requests: RequestRow[] }>("GET", "requests?limit=1000")).requests, [refreshTick.value]);
  // What this console asks itself would crowd out the programs' calls.
  const rows = useMemo(() => (read.value ?? []).filter((r) => (!onlyErrors || r.status >= 400) && (own || !/^Mozilla/.test(r.user_agent ?? ""))), [read.value, onlyErrors, own]);
  const columns: Column<RequestRow>[] = [
    { id: "time", title: "Time", value: (r) => Date.parse(r.time), cell: (r) => <span class="mono">{formatTime(Date.parse(r.time))}</span> },
    { id: "status", title: "Status", value: (r) => r.status, cell: (r) => <Badge tone={r.status >= 500 ? "bad" : r.status >= 400 ? "warn" : "ok"}>{r.status}</Badge> },
    { id: "service", title: "Service", value: (r) => r.service },
    { id: "operation", title: "Operation", value: (r) => r.operation },
    { id: "protocol", title: "Protocol", value: (r) => r.protocol },
    { id: "took", title: "Took", numeric: true, value: (r) => r.took_ms, cell: (r) => (r.took_ms === undefined ? "" : formatDuration(r.took_ms)) },
    { id: "out", title: "Answer", numeric: true, value: (r) => r.bytes_out, cell: (r) => formatBytes(r.bytes_out ?? 0) },
    { id: "error", title: "Error", value: (r) => r.error },
    { id: "client", title: "Client", value: (r) => r.user_agent || r.client },
  ];
  const check = (key: string, on: boolean, value: string, text: string) => <label class="row"><input type="checkbox" checked={on} onChange={(e) => setParams({ [key]: e.currentTarget.checked ? value : undefined })} /> {text}</label>;
  return (
    <>
      {read.error && <Problem error={read.error} />}
      <ListTable name="requests" label="Requests" columns={columns} rows={rows} rowKey={(r, i) => r.request_id ?? String(i)} onRow={setOpen} extra={<>{check("only", onlyErrors, "errors", "Only failed calls")}{check("own", own, "yes", "With this console's own")}</>} />
      {rows.length === 0 && !read.loading && <Card><Empty title="No call of a program yet" command={cli("sts get-caller-identity")} /></Card>}
      {open && (
        <Dialog title={`${open.service} ${open.operation}`} onClose={() => setOpen(undefined)} wide>
          {open.error && <p class="problem"><strong>{open.error}</strong></p>}
          <table class="event">
            <tbody>{Object.entries(open).map(([k, v]) => <tr><th scope="row">{k}</th><td>{String(v)}</td></tr>)}</tbody>
          </table>
          <h3>The same by curl, body to be filled in</h3>
          <Command text={curl(open)} />
        </Dialog>
      )}
    </>
  );
}

function curl(r: RequestRow): string {
  if (!r.service) return `curl -s ${quote(endpoint() + r.operation)}`;
  const prefix = { logs: "Logs_20140328", cloudwatch: "GraniteServiceVersion20100801" }[r.service];
  if (prefix) return `curl -s ${endpoint()} -H 'Content-Type: application/x-amz-json-1.${r.service === "logs" ? 1 : 0}' -H 'X-Amz-Target: ${prefix}.${r.operation}' -d '{}'`;
  return r.service === "xray" ? `curl -s ${endpoint()}/${r.operation} -H 'Content-Type: application/json' -d '{}'` : `curl -s ${endpoint()} -d 'Action=${r.operation}'`;
}

function Operations() {
  const read = useLoad(() => control<Coverage>("GET", "operations"), [refreshTick.value]);
  const services = Object.entries(read.value?.services ?? {});
  const missed = services.flatMap(([service, list]) => list.filter((o) => !o.implemented && o.calls > 0).map((o) => ({ service, ...o })));
  return (
    <>
      {read.error && <Problem error={read.error} />}
      {missed.length > 0 && (
        <Card title="Called, but not there">
          <ul class="plain columns">{missed.map((o) => <li class="row"><Badge tone="warn">{formatNumber(o.calls)}</Badge> {o.service} {o.name}</li>)}</ul>
        </Card>
      )}
      <div class="grid">
        {services.map(([service, operations]) => (
          <Card title={`${service}: ${operations.filter((o) => o.implemented).length} of ${operations.length}`}>
            <ul class="plain columns" tabIndex={0} aria-label={`Operations of ${service}`}>
              {operations.map((o) => (
                <li class="row">
                  <Badge tone={o.implemented ? "ok" : "idle"}>{o.implemented ? "yes" : "not yet"}</Badge> <span class="grow">{o.name}</span> {o.calls > 0 && <small>{formatNumber(o.calls)} calls</small>}
                </li>
              ))}
            </ul>
          </Card>
        ))}
      </div>
    </>
  );
}
