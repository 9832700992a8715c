// One trace: waterfall on canvas (rows in sight only), minimap, details, logs of the same id.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { logs, xray } from "../api/client";
import { href, param, setParams } from "../app/router";
import { dark } from "../app/settings";
import { formatDuration, formatTime } from "../app/time";
import { Badge, Card, CliButton, Empty, formatNumber, Page, Problem, Search, Tabs } from "../ui/basic";
import { colorOf } from "../ui/chart";
import { useLoad } from "../ui/load";

export interface Document {
  id: string;
  name: string;
  start_time: number;
  end_time?: number;
  in_progress?: boolean;
  parent_id?: string;
  type?: string;
  namespace?: string;
  fault?: boolean;
  error?: boolean;
  throttle?: boolean;
  http?: { request?: { method?: string; url?: string }; response?: { status?: number } };
  aws?: Record<string, unknown>;
  sql?: Record<string, unknown>;
  cause?: unknown;
  annotations?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  subsegments?: Document[];
  [key: string]: unknown;
}

interface Span {
  doc: Document;
  service: string;
  depth: number;
  start: number; // ms from the trace's begin
  length: number;
  children: number;
  parent: number; // index, or -1
}

// Segments and subsegments as one list in drawing order. A segment hangs below the subsegment whose
// id is its parent_id.
export function spansOf(documents: Document[]): Span[] {
  const below = new Map<string, Document[]>();
  const ids = new Set<string>();
  const collect = (d: Document) => {
    ids.add(d.id);
    d.subsegments?.forEach(collect);
  };
  documents.forEach(collect);
  const roots: Document[] = [];
  for (const d of documents) {
    if (d.parent_id && ids.has(d.parent_id)) below.set(d.parent_id, [...(below.get(d.parent_id) ?? []), d]);
    else roots.push(d);
  }
  const begin = Math.min(...documents.map((d) => d.start_time));
  const spans: Span[] = [];
  const byStart = (a: Document, b: Document) => a.start_time - b.start_time;
  // An explicit stack: a trace may be a thousand levels deep.
  const stack = roots.sort(byStart).reverse().map((doc) => ({ doc, depth: 0, service: doc.name, parent: -1 }));
  while (stack.length) {
    const { doc, depth, service, parent } = stack.pop()!;
    const index = spans.length;
    const children = [...(doc.subsegments ?? []), ...(below.get(doc.id) ?? [])].sort(byStart);
    spans.push({ doc, service, depth, start: (doc.start_time - begin) * 1000, length: Math.max(0, ((doc.end_time ?? doc.start_time) - doc.start_time) * 1000), children: children.length, parent });
    const own = new Set(doc.subsegments ?? []);
    for (const child of children.reverse()) stack.push({ doc: child, depth: depth + 1, service: own.has(child) ? service : child.name, parent: index });
  }
  return spans;
}

const rowHeight = 24;

export function TraceView({ id }: { id: string }) {
  const read = useLoad(async (s) => {
    const found = await xray<{ Traces?: { Id: string; Duration?: number; Segments?: { Id: string; Document: string }[] }[] }>("Traces", { TraceIds: [id] }, s);
    const trace = found.Traces?.[0];
    return trace && { duration: trace.Duration, documents: (trace.Segments ?? []).map((x) => JSON.parse(x.Document) as Document) };
  }, [id]);
  const spans = useMemo(() => (read.value ? spansOf(read.value.documents) : []), [read.value]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const filter = param("find").value;
  const hideBelow = Number(param("hide").value || 0);
  const tab = (param("tab", "waterfall").value || "waterfall") as "waterfall" | "logs" | "raw";
  const chosenId = param("span").value;
  const total = Math.max(0.001, ...spans.map((s) => s.start + s.length));
  const shown = useMemo(() => {
    const hidden = new Set<number>();
    return spans.filter((s, i) => {
      if (s.parent >= 0 && (hidden.has(s.parent) || folded.has(spans[s.parent]!.doc.id))) {
        hidden.add(i);
        return false;
      }
      return (s.length / total) * 100 >= hideBelow || s.depth === 0;
    });
  }, [spans, folded, hideBelow, total]);
  const chosen = spans.find((s) => s.doc.id === chosenId);
  const faults = spans.filter((s) => s.doc.fault).length;
  return (
    <Page title={`Trace ${id}`} crumbs={[{ text: "Traces", href: href(["traces"]) }]} actions={<CliButton line={`xray batch-get-traces --trace-ids ${id}`} />}>
      {read.error && <Problem error={read.error} />}
      {!read.loading && !read.error && spans.length === 0 && <Card><Empty title="No trace of this id is stored here" /></Card>}
      {spans.length > 0 && (
        <>
          <div class="row">
            <b>{formatDuration(total)}</b> <span>{formatNumber(spans.length)} spans</span> {faults > 0 && <Badge tone="bad">{faults} faults</Badge>}
            <small>{formatTime(Math.min(...read.value!.documents.map((d) => d.start_time)) * 1000)}</small>
          </div>
          <Tabs tabs={[["waterfall", "Waterfall"], ["logs", "Logs"], ["raw", "Documents"]] as const} at={tab} onChange={(t) => setParams({ tab: t }, true)} />
          {tab === "waterfall" && (
            <div class={chosen ? "grid trace-grid" : ""}>
              <Card>
                <div class="row run-row">
                  <Search label="Find a span" value={filter} onInput={(v) => setParams({ find: v })} />
                  <label class="row">Hide below <input type="number" min="0" max="100" step="0.5" value={hideBelow} onInput={(e) => setParams({ hide: e.currentTarget.value })} /> %</label>
                  <button onClick={() => setFolded(folded.size ? new Set() : new Set(spans.filter((s) => s.children && s.depth > 0).map((s) => s.doc.id)))}>{folded.size ? "Unfold all" : "Fold all"}</button>
                </div>
                <Minimap spans={spans} total={total} />
                <Waterfall spans={shown} total={total} filter={filter.toLowerCase()} chosen={chosenId} folded={folded} onChoose={(s) => setParams({ span: s.doc.id })} onFold={(s) => setFolded((old) => { const now = new Set(old); if (!now.delete(s.doc.id)) now.add(s.doc.id); return now; })} />
              </Card>
              {chosen && <SpanDetail span={chosen} onClose={() => setParams({ span: undefined })} />}
            </div>
          )}
          {tab === "logs" && <TraceLogs id={id} documents={read.value!.documents} />}
          {tab === "raw" && <pre class="raw" tabIndex={0}>{JSON.stringify(read.value!.documents, null, 2)}</pre>}
        </>
      )}
    </Page>
  );
}

const palette = (service: string, services: string[]) => colorOf(Math.max(0, services.indexOf(service)));

function draw(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  return context;
}

function Minimap({ spans, total }: { spans: Span[]; total: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isDark = dark.value;
  useEffect(() => {
    const element = canvas.current!;
    const width = element.parentElement!.clientWidth;
    const context = draw(element, width, 44);
    const services = [...new Set(spans.map((s) => s.service))];
    const height = Math.max(0.5, 44 / spans.length);
    spans.forEach((s, i) => {
      context.fillStyle = s.doc.fault ? (isDark ? "#ff8a80" : "#b3261e") : palette(s.service, services);
      context.fillRect((s.start / total) * width, (i / spans.length) * 44, Math.max(1, (s.length / total) * width), height);
    });
  }, [spans, total, isDark]);
  return <div class="minimap"><canvas ref={canvas} aria-hidden="true" /></div>;
}

function Waterfall(props: { spans: Span[]; total: number; filter: string; chosen: string; folded: ReadonlySet<string>; onChoose: (s: Span) => void; onFold: (s: Span) => void }) {
  const { spans, total } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [top, setTop] = useState(0);
  const [size, setSize] = useState({ width: 800, height: 480 });
  const isDark = dark.value;
  useEffect(() => {
    const observer = new ResizeObserver(() => box.current && setSize({ width: box.current.clientWidth, height: box.current.clientHeight }));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const nameWidth = Math.min(360, size.width * 0.42);
  const first = Math.max(0, Math.floor(top / rowHeight));
  const visible = spans.slice(first, first + Math.ceil(size.height / rowHeight) + 2);
  const services = useMemo(() => [...new Set(spans.map((s) => s.service))], [spans]);
  const matches = (s: Span) => props.filter !== "" && (s.doc.name + " " + JSON.stringify(s.doc.annotations ?? {})).toLowerCase().includes(props.filter);
  useEffect(() => {
    const width = size.width - nameWidth - 12;
    const context = draw(canvas.current!, Math.max(10, width), size.height);
    context.font = "11px system-ui";
    visible.forEach((s, i) => {
      const y = (first + i) * rowHeight - top;
      const x = (s.start / total) * width;
      const length = Math.max(2, (s.length / total) * width);
      context.fillStyle = palette(s.service, services);
      context.globalAlpha = props.filter && !matches(s) ? 0.25 : 1;
      context.beginPath();
      context.roundRect(x, y + 5, length, rowHeight - 10, 3);
      context.fill();
      if (s.doc.fault || s.doc.error) {
        context.fillStyle = isDark ? "#ff8a80" : "#b3261e";
        context.fillRect(x, y + rowHeight - 6, length, 3);
      }
      context.fillStyle = isDark ? "#c3d4da" : "#33474f";
      const text = formatDuration(s.length);
      const after = x + length + 5;
      context.fillText(text, after + 50 < width ? after : Math.max(2, x - 52), y + 16);
      context.globalAlpha = 1;
    });
  }, [visible, size, top, total, isDark, props.filter]);
  // Arrow keys walk, left and right fold.
  const onKey = (e: KeyboardEvent) => {
    const at = spans.findIndex((s) => s.doc.id === props.chosen);
    const to = e.key === "ArrowDown" ? at + 1 : e.key === "ArrowUp" ? at - 1 : -1;
    if ((e.key === "ArrowLeft" || e.key === "ArrowRight") && spans[at]?.children) props.onFold(spans[at]!);
    else if (spans[to]) {
      props.onChoose(spans[to]!);
      if ((to + 1) * rowHeight > top + size.height || to * rowHeight < top) box.current!.scrollTop = Math.max(0, to * rowHeight - size.height / 2);
    } else return;
    e.preventDefault();
  };
  return (
    <div class="waterfall" ref={box} onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={onKey} tabIndex={0} role="tree" aria-label="Spans">
      <div style={{ height: `${spans.length * rowHeight}px` }}>
        <div class="waterfall-view" style={{ top: `${top}px`, height: `${size.height}px` }}>
          <canvas ref={canvas} style={{ left: `${nameWidth}px` }} aria-hidden="true" />
        </div>
        {visible.map((s, i) => (
          <div
            key={s.doc.id + (first + i)}
            role="treeitem"
            aria-level={s.depth + 1}
            aria-selected={s.doc.id === props.chosen}
            aria-expanded={s.children ? !props.folded.has(s.doc.id) : undefined}
            aria-label={`${s.doc.name}, ${formatDuration(s.length)}${s.doc.fault ? ", fault" : ""}`}
            class={"span-row" + (s.doc.id === props.chosen ? " selected" : "") + (matches(s) ? " match" : "")}
            style={{ top: `${(first + i) * rowHeight}px` }}
            onClick={() => props.onChoose(s)}
          >
            <span class="span-name" style={{ width: `${nameWidth - 8}px`, paddingLeft: `${Math.min(s.depth, 24) * 12}px` }}>
              <i class="fold" onClick={(e) => { e.stopPropagation(); props.onFold(s); }}>{s.children ? (props.folded.has(s.doc.id) ? "▸" : "▾") : ""}</i>
              {s.doc.name}
            </span>
          </div>
        ))}
      </div>
    </div>
  );
}

function SpanDetail({ span, onClose }: { span: Span; onClose: () => void }) {
  const d = span.doc;
  const parts: [string, unknown][] = [["HTTP", d.http], ["AWS", d.aws], ["SQL", d.sql], ["Cause", d.cause], ["Annotations", d.annotations], ["Metadata", d.metadata]];
  return (
    <Card title={d.name} actions={<button class="icon" aria-label="Close details" onClick={onClose}>×</button>}>
      <p class="row">
        {d.fault && <Badge tone="bad">fault</Badge>} {d.error && <Badge tone="warn">error</Badge>} {d.throttle && <Badge tone="warn">throttle</Badge>} {d.in_progress && <Badge tone="info">in progress</Badge>}
        <span>{formatDuration(span.length)}</span> <small>at {formatDuration(span.start)}</small> <small class="mono">{d.id}</small>
      </p>
      {parts.filter(([, v]) => v !== undefined).map(([name, v]) => (
        <>
          <h3>{name}</h3>
          <pre class="raw" tabIndex={0}>{JSON.stringify(v, null, 2)}</pre>
        </>
      ))}
    </Card>
  );
}

// Lines that bear the trace's id, from the groups the segments name, or else from all groups.
function TraceLogs({ id, documents }: { id: string; documents: Document[] }) {
  const found = useLoad(async (s) => {
    const named = documents.flatMap((d) => ((d.aws?.["cloudwatch_logs"] as { log_group?: string }[] | undefined) ?? []).map((g) => g.log_group ?? "")).filter(Boolean);
    const groups = named.length ? named : ((await logs<{ logGroups?: { logGroupName: string }[] }>("DescribeLogGroups", { limit: 50 }, s)).logGroups ?? []).map((g) => g.logGroupName);
    if (!groups.length) return [];
    const begin = Math.min(...documents.map((d) => d.start_time));
    const { queryId } = await logs<{ queryId: string }>("StartQuery", { logGroupNames: groups.slice(0, 50), startTime: Math.floor(begin) - 300, endTime: Math.ceil(begin) + 3600, queryString: `fields @timestamp, @log, @message | filter @message like "${id}" | sort @timestamp asc | limit 500` }, s);
    for (;;) {
      const answer = await logs<{ status: string; results: { field: string; value: string }[][] }>("GetQueryResults", { queryId }, s);
      if (["Complete", "Failed", "Cancelled", "Timeout"].includes(answer.status)) return answer.results.map((cells) => Object.fromEntries(cells.map((c) => [c.field, c.value])));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }, [id]);
  return (
    <Card title="Log lines with this id">
      {found.error && <Problem error={found.error} />}
      {found.loading && <p class="none">Reading…</p>}
      {found.value?.length === 0 && <p class="none">No line bears this id.</p>}
      <div class="wrapped">
        {found.value?.map((r) => (
          <p class="mono"><span class="soft">{r["@timestamp"]} {r["@log"]}</span> {r["@message"]}</p>
        ))}
      </div>
    </Card>
  );
}
