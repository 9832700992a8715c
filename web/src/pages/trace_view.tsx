// One trace: waterfall on canvas (rows in sight only), a minimap to zoom by, the critical path, and
// beside it the logs of the same id and the chosen span.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { logs } from "../api/client";
import { runQuery, type ResultRow } from "../api/query";
import { href, param, setParams } from "../app/router";
import { dark } from "../app/settings";
import { formatDuration, formatTime } from "../app/time";
import { Badge, Card, CliButton, Empty, formatNumber, Page, Problem, Search, Tabs } from "../ui/basic";
import { colorOf } from "../ui/chart";
import { useLoad } from "../ui/load";
import { EventDialog } from "./event_dialog";
import { TraceCompare } from "./trace_compare";
import { criticalPath, readTrace, spansOf, type Document, type Span } from "./trace_data";

const rowHeight = 24;
interface Zoom {
  from: number; // ms from the trace's begin
  to: number;
}

export function TraceView({ id }: { id: string }) {
  const read = useLoad((s) => readTrace(id, s), [id]);
  const documents = read.value ?? [];
  const spans = useMemo(() => (read.value?.length ? spansOf(read.value) : []), [read.value]);
  const path = useMemo(() => criticalPath(spans), [spans]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const filter = param("find").value;
  const onlyMatches = param("only").value === "yes";
  const onlyPath = param("path").value === "yes";
  const hideBelow = Number(param("hide").value || 0);
  const tab = (param("tab", "waterfall").value || "waterfall") as "waterfall" | "compare" | "raw";
  const side = (param("side", "logs").value || "logs") as "logs" | "span";
  const chosenId = param("span").value;
  const total = Math.max(0.001, ...spans.slice(0, 1).map((s) => s.start + s.length), spans.reduce((n, s) => Math.max(n, s.start + s.length), 0));
  const zoomText = param("zoom").value;
  const zoom = useMemo((): Zoom => {
    const [from, to] = zoomText.split("-").map(Number);
    return from !== undefined && to !== undefined && to > from ? { from, to } : { from: 0, to: total };
  }, [zoomText, total]);
  const shown = useMemo(() => {
    const hidden = new Set<number>();
    return spans.filter((s, i) => {
      if (s.parent >= 0 && (hidden.has(s.parent) || folded.has(spans[s.parent]!.doc.id))) {
        hidden.add(i);
        return false;
      }
      if (onlyPath && !path.has(i)) return false;
      if (onlyMatches && filter && !matches(s, filter.toLowerCase())) return false;
      return s.start + s.length >= zoom.from && s.start <= zoom.to && ((s.length / total) * 100 >= hideBelow || s.depth === 0);
    });
  }, [spans, folded, hideBelow, total, onlyPath, onlyMatches, onlyMatches ? filter : "", zoom]);
  const chosen = spans.find((s) => s.doc.id === chosenId);
  const faults = spans.filter((s) => s.doc.fault).length;
  const check = (key: string, on: boolean, text: string) => <label class="row tight"><input type="checkbox" checked={on} onChange={(e) => setParams({ [key]: e.currentTarget.checked ? "yes" : undefined })} /> {text}</label>;
  return (
    <Page title={`Trace ${id}`} crumbs={[{ text: "Traces", href: href(["traces"]) }]} actions={<CliButton line={`xray batch-get-traces --trace-ids ${id}`} />}>
      {read.error && <Problem error={read.error} />}
      {!read.loading && !read.error && spans.length === 0 && <Card><Empty title="No trace of this id is stored here" /></Card>}
      {spans.length > 0 && (
        <>
          <div class="row">
            <b>{formatDuration(total)}</b> <span>{formatNumber(spans.length)} spans</span> {faults > 0 && <Badge tone="bad">{faults} faults</Badge>}
            <small>{formatTime(documents.reduce((n, d) => Math.min(n, d.start_time), Infinity) * 1000)}</small>
            <span class="grow" />
            <Services spans={spans} />
          </div>
          <Tabs tabs={[["waterfall", "Waterfall"], ["compare", "Compare"], ["raw", "Documents"]] as const} at={tab} onChange={(t) => setParams({ tab: t }, true)} />
          {tab === "waterfall" && (
            <div class="grid trace-grid">
              <Card>
                <div class="row">
                  <Search label="Find a span" value={filter} onInput={(v) => setParams({ find: v })} />
                  {filter && check("only", onlyMatches, "Only these")}
                  {check("path", onlyPath, "Critical path")}
                  <label class="row tight">Hide below <input type="number" class="short" min="0" max="100" step="0.5" value={hideBelow} onInput={(e) => setParams({ hide: e.currentTarget.value })} /> %</label>
                  <button onClick={() => setFolded(folded.size ? new Set() : new Set(spans.filter((s) => s.children && s.depth > 0).map((s) => s.doc.id)))}>{folded.size ? "Unfold all" : "Fold all"}</button>
                  {zoomText && <button onClick={() => setParams({ zoom: undefined }, true)}>Whole trace</button>}
                </div>
                <Minimap spans={spans} total={total} zoom={zoom} />
                <Waterfall spans={shown} all={spans} path={path} zoom={zoom} filter={filter.toLowerCase()} chosen={chosenId} folded={folded} onChoose={(s) => setParams({ span: s.doc.id, side: "span" })} onFold={(s) => setFolded((old) => { const now = new Set(old); if (!now.delete(s.doc.id)) now.add(s.doc.id); return now; })} />
              </Card>
              <Card title={<Tabs tabs={[["logs", "Logs"], ["span", "Span"]] as const} at={side} onChange={(t) => setParams({ side: t })} />} class="side">
                {side === "logs" ? <TraceLogs id={id} documents={documents} /> : chosen ? <SpanDetail span={chosen} /> : <p class="none">Choose a span.</p>}
              </Card>
            </div>
          )}
          {tab === "compare" && <TraceCompare id={id} spans={spans} />}
          {tab === "raw" && <pre class="raw" tabIndex={0}>{JSON.stringify(documents, null, 2).slice(0, 400_000)}</pre>}
        </>
      )}
    </Page>
  );
}

const servicesOf = (spans: Span[]) => [...new Set(spans.map((s) => s.service))];

function Services({ spans }: { spans: Span[] }) {
  const services = servicesOf(spans);
  return <span class="legend">{services.slice(0, 12).map((name) => <span class="row tight"><i style={{ background: palette(name, services) }} /> <small>{name}</small></span>)}</span>;
}

const matches = (s: Span, filter: string) => filter !== "" && (s.doc.name + " " + JSON.stringify(s.doc.annotations ?? {})).toLowerCase().includes(filter);

const badColor = (isDark: boolean) => (isDark ? "#ff8a80" : "#b3261e");
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

// The whole trace in little; press and drag zooms to a part of its time.
function Minimap({ spans, total, zoom }: { spans: Span[]; total: number; zoom: Zoom }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<[number, number]>();
  const isDark = dark.value;
  useEffect(() => {
    const element = canvas.current!;
    const width = element.parentElement!.clientWidth;
    const context = draw(element, width, 44);
    const services = servicesOf(spans);
    const height = Math.max(0.5, 44 / spans.length);
    spans.forEach((s, i) => {
      context.fillStyle = s.doc.fault ? badColor(isDark) : palette(s.service, services);
      context.fillRect((s.start / total) * width, (i / spans.length) * 44, Math.max(1, (s.length / total) * width), height);
    });
  }, [spans, total, isDark]);
  const place = (e: PointerEvent) => {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    return Math.max(0, Math.min(1, (e.clientX - box.left) / box.width)) * total;
  };
  const finish = () => {
    if (!drag) return;
    const [from, to] = [Math.min(...drag), Math.max(...drag)];
    if (to - from > total / 200) setParams({ zoom: `${from.toFixed(2)}-${to.toFixed(2)}` }, true);
    setDrag(undefined);
  };
  const [from, to] = drag ? [Math.min(...drag), Math.max(...drag)] : [zoom.from, zoom.to];
  return (
    <div class="minimap" title="Drag to zoom" onPointerDown={(e) => { e.currentTarget.setPointerCapture(e.pointerId); setDrag([place(e), place(e)]); }} onPointerMove={(e) => drag && setDrag([drag[0], place(e)])} onPointerUp={finish} onDblClick={() => setParams({ zoom: undefined }, true)}>
      <canvas ref={canvas} aria-hidden="true" />
      {(drag || to - from < total) && <i style={{ left: `${(from / total) * 100}%`, width: `${((to - from) / total) * 100}%` }} />}
    </div>
  );
}

function Waterfall(props: { spans: Span[]; all: Span[]; path: Set<number>; zoom: Zoom; filter: string; chosen: string; folded: ReadonlySet<string>; onChoose: (s: Span) => void; onFold: (s: Span) => void }) {
  const { spans, zoom } = props;
  const span = zoom.to - zoom.from;
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
  const services = useMemo(() => servicesOf(props.all), [props.all]);
  const critical = useMemo(() => new Set([...props.path].map((i) => props.all[i]!)), [props.path]);
  useEffect(() => {
    const width = size.width - nameWidth - 12;
    const context = draw(canvas.current!, Math.max(10, width), size.height);
    context.font = "11px system-ui";
    visible.forEach((s, i) => {
      const y = (first + i) * rowHeight - top;
      const x = ((s.start - zoom.from) / span) * width;
      const length = Math.max(2, (s.length / span) * width);
      context.fillStyle = palette(s.service, services);
      context.globalAlpha = props.filter && !matches(s, props.filter) ? 0.25 : 1;
      context.beginPath();
      context.roundRect(x, y + 5, length, rowHeight - 10, 3);
      context.fill();
      if (critical.has(s)) {
        context.fillStyle = isDark ? "#ffffff" : "#14232a";
        context.fillRect(x, y + rowHeight - 6, length, 1.5);
      }
      if (s.doc.fault || s.doc.error) {
        context.fillStyle = badColor(isDark);
        context.fillRect(x, y + 5, Math.min(length, 4), rowHeight - 10);
      }
      context.fillStyle = isDark ? "#c3d4da" : "#33474f";
      const text = formatDuration(s.length);
      const after = x + length + 5;
      if (after + 50 < width) context.fillText(text, after, y + 16);
      else if (Math.min(length, width - x) > 64) {
        context.fillStyle = isDark ? "#08181d" : "#ffffff";
        context.fillText(text, Math.max(x, 0) + 8, y + 16);
      } else context.fillText(text, Math.max(2, Math.min(x, width) - 52), y + 16);
      context.globalAlpha = 1;
    });
  }, [visible, size, top, zoom, isDark, props.filter]);
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
    <div class="waterfall" style={{ height: `min(62vh, ${spans.length * rowHeight + 4}px)` }} ref={box} onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={onKey} tabIndex={0} role="tree" aria-label="Spans">
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
            class={"span-row" + (s.doc.id === props.chosen ? " selected" : "") + (matches(s, props.filter) ? " match" : "")}
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

interface Exception {
  type?: string;
  message?: string;
  stack?: { path?: string; line?: number; label?: string }[];
}

function SpanDetail({ span }: { span: Span }) {
  const d = span.doc;
  const exceptions = (d.cause as { exceptions?: Exception[] } | undefined)?.exceptions ?? [];
  const sql = d.sql?.["sanitized_query"];
  const parts: [string, unknown][] = [["HTTP", d.http], ["AWS", d.aws], ["SQL", sql ? { ...d.sql, sanitized_query: undefined } : d.sql], ["Cause", exceptions.length ? undefined : d.cause], ["Annotations", d.annotations], ["Metadata", d.metadata]];
  return (
    <>
      <h3>{d.name}</h3>
      <p class="row">
        {d.fault && <Badge tone="bad">fault</Badge>} {d.error && <Badge tone="warn">error</Badge>} {d.throttle && <Badge tone="warn">throttle</Badge>} {d.in_progress && <Badge tone="info">in progress</Badge>}
        <span>{formatDuration(span.length)}</span> <small>at {formatDuration(span.start)}</small> <small class="mono">{d.id}</small>
      </p>
      {exceptions.map((e) => (
        <div class="problem">
          <strong>{e.type}</strong> {e.message}
          <pre>{(e.stack ?? []).map((f) => `at ${f.label ?? "?"} (${f.path ?? "?"}:${f.line ?? "?"})`).join("\n")}</pre>
        </div>
      ))}
      {typeof sql === "string" && <pre class="raw" tabIndex={0}>{sql}</pre>}
      {parts.filter(([, v]) => v !== undefined).map(([name, v]) => (
        <>
          <h3>{name}</h3>
          <pre class="raw" tabIndex={0}>{JSON.stringify(v, null, 2)}</pre>
        </>
      ))}
    </>
  );
}

// Lines that bear the trace's id, from the groups the segments name, or else from all groups.
function TraceLogs({ id, documents }: { id: string; documents: Document[] }) {
  const [open, setOpen] = useState<ResultRow>();
  const begin = documents.reduce((n, d) => Math.min(n, d.start_time), Infinity) * 1000;
  const end = documents.reduce((n, d) => Math.max(n, d.end_time ?? d.start_time), 0) * 1000;
  const text = `fields @timestamp, @log, @message | filter @message like "${id}" | sort @timestamp asc | limit 500`;
  const found = useLoad(async (s) => {
    const named = documents.flatMap((d) => ((d.aws?.["cloudwatch_logs"] as { log_group?: string }[] | undefined) ?? []).map((g) => g.log_group ?? "")).filter(Boolean);
    const all = ((await logs<{ logGroups?: { logGroupName: string }[] }>("DescribeLogGroups", { limit: 50 }, s)).logGroups ?? []).map((g) => g.logGroupName);
    const groups = [...new Set([...named.filter((n) => all.includes(n)), ...all])].slice(0, 50);
    if (!groups.length) return { groups, rows: [] };
    return { groups, rows: (await runQuery({ groups, from: begin - 300_000, to: end + 3600_000, text }, s)).rows };
  }, [id]);
  return (
    <>
      {found.error && <Problem error={found.error} />}
      {found.loading && <p class="none">Reading…</p>}
      {found.value?.rows.length === 0 && <p class="none">No line bears this id.</p>}
      {!!found.value?.rows.length && (
        <div class="wrapped">
          {found.value.rows.map((r) => (
            <button class="tail-line" onClick={() => setOpen(r)}><span class="soft">{r["@timestamp"]} {r["@log"]?.replace(/^\d{12}:/, "")}</span> {r["@message"]?.slice(0, 2000)}</button>
          ))}
        </div>
      )}
      {!!found.value?.groups.length && <p><a href={href(["logs", "insights"], { groups: found.value.groups.join("\n"), q: text, range: `${Math.floor(begin - 300_000)}~${Math.ceil(end + 300_000)}` })}>Open in Logs Insights</a></p>}
      {open && <EventDialog row={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}
