// Traces: search by filter expression, histogram to brush, and one trace as a waterfall.
import { useEffect, useMemo, useState } from "preact/hooks";

import { pages, xray } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatDuration, formatTime, range, refreshTick } from "../app/time";
import { Badge, Card, cli, CliButton, Empty, Page, Problem, quote } from "../ui/basic";
import { useLoad } from "../ui/load";
import { QueryEditor } from "../ui/lazy_editor";
import { ListTable, Table, type Column } from "../ui/table";
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
  Annotations?: Record<string, { AnnotationValue?: { StringValue?: string; NumberValue?: number; BooleanValue?: boolean } }[]>;
  MatchedEventTime?: number;
}

export default function Traces() {
  const id = route.value.path[1];
  return id ? <TraceView id={id} /> : <List />;
}

// The id carries the start in its first part: 1-<hex epoch seconds>-...
const startOf = (s: Summary) => (s.StartTime ?? parseInt(s.Id.slice(2, 10), 16)) * 1000;
const keywords: [string, string][] = [
  ["service", 'service("name") { fault = true }'], ["edge", 'edge("from", "to")'], ["responsetime", "seconds"], ["duration", "seconds"], ["fault", "= true: 5xx"], ["error", "= true: 4xx"], ["throttle", "= true: 429"], ["ok", "= true"], ["partial", "= true"], ["root.fault", ""], ["user", '= "name"'],
  ["http.url", 'CONTAINS "/api"'], ["http.status", ">= 500"], ["http.method", '= "GET"'], ["http.useragent", ""], ["http.clientip", ""], ["annotation", 'annotation[key] = "value"'], ["name", ""], ["id", 'id(name: "x", type: "AWS::EC2::Instance")'], ["group.name", ""], ["rootcause.fault.entity", ""], ["rootcause.responsetime.entity", ""],
  ["AND", ""], ["OR", ""], ["NOT", "!"], ["CONTAINS", ""], ["BEGINSWITH", ""], ["ENDSWITH", ""], ["true", ""], ["false", ""],
];
const words = keywords.map(([label, detail]) => ({ label, detail, type: /^[A-Z]/.test(label) ? "keyword" : "property" }));
const quick: [string, string][] = [["Faults", "fault = true"], ["Errors", "error = true"], ["Slow", "responsetime > 1"], ["Throttled", "throttle = true"]];

// What traces can be counted by: a name and the traces' value, and the filter that chooses one value.
function groupings(traces: Summary[]): [string, (t: Summary) => string | undefined, (value: string) => string][] {
  const keys = [...new Set(traces.flatMap((t) => Object.keys(t.Annotations ?? {})))].sort();
  const text = JSON.stringify;
  return [
    ["URL", (t) => t.Http?.HttpURL, (v) => `http.url = ${text(v)}`],
    ["user", (t) => t.Users?.[0]?.UserName, (v) => `user = ${text(v)}`],
    ["entry service", (t) => t.EntryPoint?.Name, (v) => `service(${text(v)})`],
    ["status code", (t) => (t.Http?.HttpStatus === undefined ? undefined : String(t.Http.HttpStatus)), (v) => `http.status = ${v}`],
    ...keys.map((key): [string, (t: Summary) => string | undefined, (value: string) => string] => [
      `annotation ${key}`,
      (t) => {
        const value = t.Annotations?.[key]?.[0]?.AnnotationValue;
        const found = value?.StringValue ?? value?.NumberValue ?? value?.BooleanValue;
        return found === undefined ? undefined : String(found);
      },
      (v) => `annotation[${key}] = ${Number.isFinite(Number(v)) && v !== "" ? v : text(v)}`,
    ]),
  ];
}

function List() {
  const filter = param("filter").value;
  const [typed, setTyped] = useState(filter);
  useEffect(() => setTyped(filter), [filter]);
  const low = Number(param("min").value || 0);
  const high = Number(param("max").value || Infinity);
  const measure = param("by", "duration").value === "response" ? "response" : "duration";
  const group = param("group").value;
  const found = useLoad(
    (s) => pages<Summary>(async (token) => {
      const page = await xray<{ TraceSummaries?: Summary[]; NextToken?: string }>("TraceSummaries", { StartTime: Math.max(range.value.from, range.value.to - 24 * 36e5) / 1000, EndTime: range.value.to / 1000, ...(filter ? { FilterExpression: filter } : {}), NextToken: token }, s);
      return { items: page.TraceSummaries ?? [], next: page.NextToken };
    }, 3000),
    [filter, range.value, refreshTick.value, region.value, account.value],
  );
  const length = (t: Summary) => ((measure === "response" ? t.ResponseTime : t.Duration) ?? 0) * 1000;
  const rows = useMemo(() => (found.value ?? []).filter((t) => length(t) >= low && length(t) <= high), [found.value, low, high, measure]);
  const ways = useMemo(() => groupings(found.value ?? []), [found.value]);
  const way = ways.find(([name]) => name === group);
  const columns = useMemo((): Column<Summary>[] => [
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
  ], []);
  const line = `xray get-trace-summaries --start-time ${Math.floor(range.value.from / 1000)} --end-time ${Math.ceil(range.value.to / 1000)}` + (filter ? ` --filter-expression ${quote(filter)}` : "");
  const search = (text: string) => {
    const id = text.trim();
    if (/^1-[0-9a-f]{8}-[0-9a-f]{24}$/.test(id)) go(["traces", id]);
    else setParams({ filter: id, min: undefined, max: undefined }, true);
  };
  return (
    <Page title="Traces" actions={<CliButton line={line} />}>
      <Card>
        <QueryEditor label="Filter expression" small text={typed} onChange={setTyped} onRun={() => search(typed)} keywords={words} hint={'Filter expression or trace id: service("api") AND responsetime > 1'} />
        <div class="row run-row">
          <button class="primary" onClick={() => search(typed)}>Search</button>
          {quick.map(([name, text]) => <button class={filter === text ? "on" : ""} onClick={() => search(filter === text ? "" : text)}>{name}</button>)}
          {filter && <button onClick={() => search("")}>All traces</button>}
          <span class="grow" />
          <select aria-label="Histogram of" value={measure} onChange={(e) => setParams({ by: e.currentTarget.value, min: undefined, max: undefined })}><option value="duration">Duration</option><option value="response">Response time</option></select>
          <select aria-label="Group by" value={group} onChange={(e) => setParams({ group: e.currentTarget.value || undefined }, true)}>
            <option value="">Not grouped</option>
            {ways.map(([name]) => <option value={name}>By {name}</option>)}
          </select>
        </div>
        {found.error && <Problem error={found.error} />}
        <Histogram values={(found.value ?? []).map(length)} what={measure} low={low} high={high} />
      </Card>
      {way && <Grouped traces={rows} title={way[0]} value={way[1]} onChoose={(v) => search((filter ? `(${filter}) AND ` : "") + way[2](v))} />}
      {found.value?.length === 0 && !found.loading ? (
        <Card><Empty title="No trace in this time" text="Point an X-Ray SDK at this server's daemon port, or:" command={cli(`xray put-trace-segments --trace-segment-documents '{"trace_id":"1-'$(printf %x $(date +%s))'-0123456789abcdef01234567","id":"0123456789abcdef","name":"demo","start_time":'$(date +%s)'.0,"end_time":'$(date +%s)'.2}'`)} /></Card>
      ) : (
        <ListTable name="traces" param="find" label="Traces" columns={columns} rows={rows} rowKey={(t) => t.Id} onRow={(t) => go(["traces", t.Id])} sort={{ by: param("sort", "start").value, down: true }} />
      )}
    </Page>
  );
}

function Grouped({ traces, title, value, onChoose }: { traces: Summary[]; title: string; value: (t: Summary) => string | undefined; onChoose: (value: string) => void }) {
  const rows = useMemo(
    () =>
      [...Map.groupBy(traces, (t) => value(t) ?? "")].map(([name, list]) => {
        const ms = list.map((t) => (t.Duration ?? 0) * 1000).sort((a, b) => a - b);
        return { name, count: list.length, mean: ms.reduce((a, b) => a + b, 0) / ms.length, p95: ms[Math.min(ms.length - 1, Math.floor(ms.length * 0.95))]!, faults: list.filter((t) => t.HasFault).length };
      }),
    [traces, title],
  );
  const columns: Column<(typeof rows)[number]>[] = [
    { id: "name", title, value: (r) => r.name, cell: (r) => (r.name ? <button class="link" onClick={() => onChoose(r.name)}>{r.name}</button> : "none") },
    { id: "count", title: "Traces", numeric: true, value: (r) => r.count },
    { id: "mean", title: "Average", numeric: true, value: (r) => r.mean, cell: (r) => formatDuration(r.mean) },
    { id: "p95", title: "p95", numeric: true, value: (r) => r.p95, cell: (r) => formatDuration(r.p95) },
    { id: "faults", title: "Faults", numeric: true, value: (r) => r.faults },
  ];
  return <Table label={`Traces by ${title}`} columns={columns} rows={rows} rowKey={(r) => r.name} sort={{ by: "count", down: true }} height={280} />;
}

// Durations on a logarithmic axis; press and drag chooses a part.
function Histogram({ values, what, low, high }: { values: number[]; what: string; low: number; high: number }) {
  const [drag, setDrag] = useState<[number, number]>();
  const bins = 48;
  const shape = useMemo(() => {
    const ms = values.map((v) => Math.max(0.1, v));
    const min = Math.log10(ms.reduce((a, b) => Math.min(a, b), 1000));
    const max = Math.log10(ms.reduce((a, b) => Math.max(a, b), 10)) + 0.01;
    const counts = new Array<number>(bins).fill(0);
    for (const v of ms) counts[Math.min(bins - 1, Math.floor(((Math.log10(v) - min) / (max - min)) * bins))]!++;
    return { min, max, counts, top: Math.max(1, ...counts) };
  }, [values]);
  if (!values.length) return null;
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
      <svg viewBox={`0 0 ${bins} 20`} preserveAspectRatio="none" role="img" aria-label={`Distribution of the ${what}`} onPointerDown={(e) => setDrag([place(e), place(e)])} onPointerMove={(e) => drag && setDrag([drag[0], place(e)])} onPointerUp={finish}>
        {shape.counts.map((n, i) => <rect x={i + 0.08} width="0.84" y={20 - (n / shape.top) * 19} height={(n / shape.top) * 19} class={inside(i) ? "in" : "out"} />)}
        {drag && <rect x={Math.min(...drag) * bins} width={Math.abs(drag[1] - drag[0]) * bins} height="20" class="brush" />}
      </svg>
      <figcaption class="row"><small>{formatDuration(value(0))}</small><small class="grow center">{what}; drag to choose{Number.isFinite(high) ? `: ${formatDuration(low)} to ${formatDuration(high)}` : ""}</small><small>{formatDuration(value(1))}</small></figcaption>
    </figure>
  );
}
