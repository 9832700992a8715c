// Traces: search by filter expression, histogram to brush, and one trace as a waterfall.
import { useMemo, useState } from "preact/hooks";

import { pages, xray } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatDuration, formatTime, range, refreshTick } from "../app/time";
import { Badge, Card, cli, CliButton, Empty, formatNumber, Page, Problem, quote } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ExportButtons, Table, type Column } from "../ui/table";
import { TraceView } from "./trace_view";

export interface Summary {
  Id: string;
  StartTime?: number;
  Duration?: number;
  ResponseTime?: number;
  HasFault?: boolean;
  HasError?: boolean;
  HasThrottle?: boolean;
  IsPartial?: boolean;
  Http?: { HttpURL?: string; HttpMethod?: string; HttpStatus?: number };
  Users?: { UserName?: string }[];
  ServiceIds?: { Name?: string }[];
  EntryPoint?: { Name?: string };
  MatchedEventTime?: number;
}

export default function Traces() {
  const id = route.value.path[1];
  return id ? <TraceView id={id} /> : <List />;
}

// The id carries the start in its first part: 1-<hex epoch seconds>-...
const startOf = (s: Summary) => (s.StartTime ?? parseInt(s.Id.slice(2, 10), 16)) * 1000;
const samples = ['service("checkout")', "fault = true", "error = true", "responsetime > 1", 'http.status >= 500', 'annotation.model_name = "gpt-4"', 'http.url CONTAINS "/api"'];

function List() {
  const filter = param("filter").value;
  const [typed, setTyped] = useState(filter);
  const low = Number(param("min").value || 0);
  const high = Number(param("max").value || Infinity);
  const found = useLoad(
    (s) => pages<Summary>(async (token) => {
      const page = await xray<{ TraceSummaries?: Summary[]; NextToken?: string }>("TraceSummaries", { StartTime: Math.max(range.value.from, range.value.to - 24 * 36e5) / 1000, EndTime: range.value.to / 1000, ...(filter ? { FilterExpression: filter } : {}), NextToken: token }, s);
      return { items: page.TraceSummaries ?? [], next: page.NextToken };
    }, 3000),
    [filter, range.value, refreshTick.value, region.value, account.value],
  );
  const rows = useMemo(() => (found.value ?? []).filter((t) => (t.Duration ?? 0) * 1000 >= low && (t.Duration ?? 0) * 1000 <= high), [found.value, low, high]);
  const columns: Column<Summary>[] = [
    { id: "start", title: "Start", value: startOf, cell: (t) => <a class="mono" href={href(["traces", t.Id])}>{formatTime(startOf(t))}</a> },
    { id: "status", title: "Status", value: (t) => (t.HasFault ? 0 : t.HasError ? 1 : t.HasThrottle ? 2 : 3), cell: (t) => (t.HasFault ? <Badge tone="bad">fault</Badge> : t.HasThrottle ? <Badge tone="warn">throttle</Badge> : t.HasError ? <Badge tone="warn">error</Badge> : <Badge tone="ok">ok</Badge>) },
    { id: "entry", title: "Entry", value: (t) => t.EntryPoint?.Name ?? t.ServiceIds?.[0]?.Name },
    { id: "method", title: "Method", value: (t) => t.Http?.HttpMethod },
    { id: "url", title: "URL", value: (t) => t.Http?.HttpURL },
    { id: "code", title: "Code", numeric: true, value: (t) => t.Http?.HttpStatus },
    { id: "response", title: "Response", numeric: true, value: (t) => t.ResponseTime, cell: (t) => (t.ResponseTime === undefined ? "" : formatDuration(t.ResponseTime * 1000)) },
    { id: "duration", title: "Duration", numeric: true, value: (t) => t.Duration, cell: (t) => (t.Duration === undefined ? "" : formatDuration(t.Duration * 1000)) },
    { id: "user", title: "User", value: (t) => t.Users?.[0]?.UserName },
    { id: "id", title: "Trace", value: (t) => t.Id, cell: (t) => <code>{t.Id}</code> },
  ];
  const line = `xray get-trace-summaries --start-time ${Math.floor(range.value.from / 1000)} --end-time ${Math.ceil(range.value.to / 1000)}` + (filter ? ` --filter-expression ${quote(filter)}` : "");
  return (
    <Page title="Traces" actions={<><CliButton line={line} /><ExportButtons name="traces" columns={columns} rows={rows} /></>}>
      <Card>
        <form class="row" onSubmit={(e) => { e.preventDefault(); if (/^1-[0-9a-f]{8}-[0-9a-f]{24}$/.test(typed.trim())) go(["traces", typed.trim()]); else setParams({ filter: typed, min: undefined, max: undefined }, true); }}>
          <input class="grow mono" list="trace-filters" value={typed} aria-label="Filter expression" placeholder={'Filter expression or trace id: service("api") AND responsetime > 1'} onInput={(e) => setTyped(e.currentTarget.value)} />
          <datalist id="trace-filters">{samples.map((s) => <option value={s} />)}</datalist>
          <button class="primary">Search</button>
        </form>
        {found.error && <Problem error={found.error} />}
        <Histogram traces={found.value ?? []} low={low} high={high} />
      </Card>
      <small role="status">{found.loading ? "Reading…" : `${formatNumber(rows.length)} traces`}</small>
      {found.value?.length === 0 && !found.loading ? (
        <Card><Empty title="No trace in this time" text="Point an X-Ray SDK at this server's daemon port, or:" command={cli(`xray put-trace-segments --trace-segment-documents '{"trace_id":"1-'$(printf %x $(date +%s))'-0123456789abcdef01234567","id":"0123456789abcdef","name":"demo","start_time":'$(date +%s)'.0,"end_time":'$(date +%s)'.2}'`)} /></Card>
      ) : (
        <Table label="Traces" columns={columns} rows={rows} rowKey={(t) => t.Id} onRow={(t) => go(["traces", t.Id])} />
      )}
    </Page>
  );
}

// Durations on a logarithmic axis; press and drag chooses a part.
function Histogram({ traces, low, high }: { traces: Summary[]; low: number; high: number }) {
  const [drag, setDrag] = useState<[number, number]>();
  const bins = 48;
  const shape = useMemo(() => {
    const ms = traces.map((t) => Math.max(0.1, (t.Duration ?? 0) * 1000));
    const min = Math.log10(Math.min(...ms, 1000));
    const max = Math.log10(Math.max(...ms, 10)) + 0.01;
    const counts = new Array<number>(bins).fill(0);
    for (const v of ms) counts[Math.min(bins - 1, Math.floor(((Math.log10(v) - min) / (max - min)) * bins))]!++;
    return { min, max, counts, top: Math.max(1, ...counts) };
  }, [traces]);
  if (!traces.length) return null;
  const value = (x: number) => 10 ** (shape.min + (shape.max - shape.min) * x);
  const place = (e: PointerEvent) => {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    return Math.max(0, Math.min(1, (e.clientX - box.left) / box.width));
  };
  const finish = () => {
    if (!drag) return;
    const [a, b] = [Math.min(...drag), Math.max(...drag)];
    setParams(b - a < 0.01 ? { min: undefined, max: undefined } : { min: value(a).toPrecision(4), max: value(b).toPrecision(4) }, true);
    setDrag(undefined);
  };
  const inside = (i: number) => value((i + 1) / bins) >= low && value(i / bins) <= high;
  return (
    <figure class="histogram">
      <svg viewBox={`0 0 ${bins} 20`} preserveAspectRatio="none" role="img" aria-label="Distribution of durations" onPointerDown={(e) => setDrag([place(e), place(e)])} onPointerMove={(e) => drag && setDrag([drag[0], place(e)])} onPointerUp={finish}>
        {shape.counts.map((n, i) => <rect x={i + 0.08} width="0.84" y={20 - (n / shape.top) * 19} height={(n / shape.top) * 19} class={inside(i) ? "in" : "out"} />)}
        {drag && <rect x={Math.min(...drag) * bins} width={Math.abs(drag[1] - drag[0]) * bins} height="20" class="brush" />}
      </svg>
      <figcaption class="row"><small>{formatDuration(value(0))}</small><small class="grow center">duration; drag to choose{Number.isFinite(high) ? `: ${formatDuration(low)} to ${formatDuration(high)}` : ""}</small><small>{formatDuration(value(1))}</small></figcaption>
    </figure>
  );
}
