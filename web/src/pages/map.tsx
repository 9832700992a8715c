// Service map: nodes with health rings, edges with latency; the layout stays while the shape does.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { xray } from "../api/client";
import { href, param, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatDuration, range, refreshTick } from "../app/time";
import { Badge, Card, CliButton, Empty, formatNumber, Page, Problem, Search, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { download, Table, type Column } from "../ui/table";
import type { LayoutInput, LayoutOutput } from "./layout_worker";

interface Statistics {
  OkCount?: number;
  ErrorStatistics?: { TotalCount?: number; ThrottleCount?: number };
  FaultStatistics?: { TotalCount?: number };
  TotalCount?: number;
  TotalResponseTime?: number;
}
interface Edge {
  ReferenceId: number;
  SummaryStatistics?: Statistics;
}
interface Service {
  ReferenceId: number;
  Name?: string;
  Type?: string;
  State?: string;
  Root?: boolean;
  Edges?: Edge[];
  SummaryStatistics?: Statistics;
}

const idOf = (s: Service) => String(s.ReferenceId);
// Names stay when reference numbers change: the key of the stable layout.
const keyOf = (s: Service) => (s.Name ?? "?") + "|" + (s.Type ?? "");
const meanMs = (s: Statistics | undefined) => (s?.TotalCount ? ((s.TotalResponseTime ?? 0) / s.TotalCount) * 1000 : undefined);

// Shares of ok, error, throttle and fault, that fill the ring.
function shares(s: Statistics | undefined): [string, number][] {
  const total = s?.TotalCount ?? 0;
  if (!total) return [["idle", 1]];
  const fault = s!.FaultStatistics?.TotalCount ?? 0;
  const throttle = s!.ErrorStatistics?.ThrottleCount ?? 0;
  const error = (s!.ErrorStatistics?.TotalCount ?? 0) - throttle;
  return [["ok", (total - fault - error - throttle) / total], ["warn", error / total], ["throttle", throttle / total], ["bad", fault / total]];
}

const width = 170;
const height = 104;

export default function ServiceMap() {
  const view = (param("view", "map").value || "map") as "map" | "list";
  const find = param("find").value.toLowerCase();
  const focus = param("focus").value;
  const read = useLoad((s) => xray<{ Services?: Service[] }>("ServiceGraph", { StartTime: Math.max(range.value.from, range.value.to - 24 * 36e5) / 1000, EndTime: range.value.to / 1000 }, s), [range.value, refreshTick.value, region.value, account.value]);
  const services = read.value?.Services ?? [];
  const byId = useMemo(() => new Map(services.map((s) => [s.ReferenceId, s])), [services]);
  const near = useMemo(() => {
    const at = services.find((s) => keyOf(s) === focus);
    if (!at) return undefined;
    const set = new Set([at.ReferenceId, ...(at.Edges ?? []).map((e) => e.ReferenceId)]);
    for (const s of services) if (s.Edges?.some((e) => e.ReferenceId === at.ReferenceId)) set.add(s.ReferenceId);
    return set;
  }, [services, focus]);
  const shown = near ? services.filter((s) => near.has(s.ReferenceId)) : services;
  const layout = useLayout(shown);
  const svg = useRef<SVGSVGElement>(null);
  const chosen = services.find((s) => keyOf(s) === focus);
  const columns: Column<Service>[] = [
    { id: "name", title: "Service", value: (s) => s.Name, cell: (s) => <a href={href(["traces"], { filter: `service("${s.Name}")` })}>{s.Name}</a> },
    { id: "type", title: "Type", value: (s) => s.Type },
    { id: "n", title: "Requests", numeric: true, value: (s) => s.SummaryStatistics?.TotalCount ?? 0 },
    { id: "mean", title: "Average", numeric: true, value: (s) => meanMs(s.SummaryStatistics), cell: (s) => (meanMs(s.SummaryStatistics) === undefined ? "" : formatDuration(meanMs(s.SummaryStatistics)!)) },
    { id: "errors", title: "Errors", numeric: true, value: (s) => s.SummaryStatistics?.ErrorStatistics?.TotalCount ?? 0 },
    { id: "faults", title: "Faults", numeric: true, value: (s) => s.SummaryStatistics?.FaultStatistics?.TotalCount ?? 0 },
    { id: "calls", title: "Calls", value: (s) => (s.Edges ?? []).map((e) => byId.get(e.ReferenceId)?.Name ?? "?").join(", ") },
  ];
  const saveSvg = () => svg.current && download("service-map.svg", "image/svg+xml", svg.current.outerHTML);
  return (
    <Page title="Service map" actions={<><CliButton line={`xray get-service-graph --start-time ${Math.floor(range.value.from / 1000)} --end-time ${Math.ceil(range.value.to / 1000)}`} /><button onClick={saveSvg} disabled={view !== "map" || !layout}>SVG</button></>}>
      <div class="row">
        <Tabs tabs={[["map", "Map"], ["list", "List"]] as const} at={view} onChange={(v) => setParams({ view: v }, true)} />
        <Search label="Find a service" value={param("find").value} onInput={(v) => setParams({ find: v })} />
        {focus && <button onClick={() => setParams({ focus: undefined }, true)}>Show all</button>}
        <span class="legend"><Badge tone="ok">ok</Badge><Badge tone="warn">error 4xx</Badge><Badge tone="bad">fault 5xx</Badge></span>
      </div>
      {read.error && <Problem error={read.error} />}
      {services.length === 0 && !read.loading && <Card><Empty title="No traces in this time" text="The map is drawn from traces. Point an X-Ray SDK's daemon address, or an OTLP exporter, at this server." /></Card>}
      {view === "list" && services.length > 0 && <Table label="Services" columns={columns} rows={shown} rowKey={idOf} filter={find} />}
      {view === "map" && layout && (
        <div class="map-box" tabIndex={0} role="region" aria-label="Service map. The list view has the same data as a table.">
          <svg ref={svg} xmlns="http://www.w3.org/2000/svg" viewBox={`0 0 ${layout.width} ${layout.height}`} width={layout.width} height={layout.height} role="img" aria-label={`${shown.length} services`}>
            <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0l8 4-8 4z" class="arrow" /></marker></defs>
            {layout.edges.map((e) => {
              const from = shown.find((s) => keyOf(s) === e.from);
              const to = shown.find((s) => keyOf(s) === e.to);
              const edge = from?.Edges?.find((x) => x.ReferenceId === to?.ReferenceId);
              const points = between(layout.nodes[e.from]!, e.points, layout.nodes[e.to]!);
              const middle = e.points[Math.floor(e.points.length / 2)]!;
              const mean = meanMs(edge?.SummaryStatistics);
              return (
                <g class={edge?.SummaryStatistics?.FaultStatistics?.TotalCount ? "edge bad" : "edge"}>
                  <path d={"M" + points.map((p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("L")} marker-end="url(#arrow)" />
                  {mean !== undefined && <text x={middle.x} y={middle.y - 6} text-anchor="middle">{formatDuration(mean)} · {formatNumber(edge!.SummaryStatistics!.TotalCount ?? 0)}</text>}
                </g>
              );
            })}
            {shown.map((s) => {
              const at = layout.nodes[keyOf(s)];
              return at && <Node service={s} x={at.x} y={at.y} dim={find !== "" && !(s.Name ?? "").toLowerCase().includes(find)} />;
            })}
          </svg>
        </div>
      )}
      {chosen && (
        <Card title={chosen.Name}>
          <p>{chosen.Type} · {formatNumber(chosen.SummaryStatistics?.TotalCount ?? 0)} requests · {meanMs(chosen.SummaryStatistics) !== undefined && formatDuration(meanMs(chosen.SummaryStatistics)!)} on average</p>
          <p class="row">
            <a href={href(["traces"], { filter: `service("${chosen.Name}")` })}>Traces</a>
            <a href={href(["traces"], { filter: `service("${chosen.Name}") AND fault = true` })}>Faulty traces</a>
            <a href={href(["traces"], { filter: `service("${chosen.Name}") AND responsetime > 1` })}>Slow traces</a>
          </p>
        </Card>
      )}
    </Page>
  );
}

// The layout's line ends at a node's box; draw it from ring to ring.
type Point = { x: number; y: number };
function between(from: Point, points: Point[], to: Point): Point[] {
  const line = [from, ...points.slice(1, -1), to];
  const towards = (a: Point, b: Point, by: number): Point => {
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    return { x: a.x + ((b.x - a.x) / length) * by, y: a.y + ((b.y - a.y) / length) * by };
  };
  return [towards(line[0]!, line[1]!, 31), ...line.slice(1, -1), towards(line.at(-1)!, line.at(-2)!, 34)];
}

function Node({ service: s, x, y, dim }: { service: Service; x: number; y: number; dim: boolean }) {
  const r = 26;
  const around = 2 * Math.PI * r;
  let done = 0;
  const mean = meanMs(s.SummaryStatistics);
  const choose = () => setParams({ focus: keyOf(s) }, true);
  const name = s.Type === "client" ? "clients" : (s.Name ?? "?");
  return (
    <g class={"node" + (dim ? " dim" : "")} transform={`translate(${x} ${y})`} tabIndex={0} role="button" aria-label={`${name}, ${s.SummaryStatistics?.TotalCount ?? 0} requests`} onClick={choose} onKeyDown={(e) => e.key === "Enter" && choose()}>
      <circle r={r} class="core" />
      {shares(s.SummaryStatistics).map(([tone, share]) => {
        const arc = <circle r={r} class={"ring " + tone} stroke-dasharray={`${share * around} ${around}`} stroke-dashoffset={-done * around} transform="rotate(-90)" />;
        done += share;
        return share > 0 && arc;
      })}
      <text y="4" text-anchor="middle" class="inside">{s.Type === "client" ? "" : mean === undefined ? "" : formatDuration(mean)}</text>
      <text y={r + 18} text-anchor="middle" class="name">{name.length > 26 ? name.slice(0, 25) + "…" : name}</text>
      <text y={r + 33} text-anchor="middle" class="type">{s.Type === "client" ? `of ${s.Name}` : s.Type}</text>
      <title>{name}</title>
    </g>
  );
}

// Asks the worker only when nodes or edges came or went: numbers change without a jump.
function useLayout(services: Service[]): LayoutOutput | undefined {
  const [out, setOut] = useState<LayoutOutput>();
  const worker = useRef<Worker>(undefined);
  const input = useMemo<LayoutInput>(() => {
    const byId = new Map(services.map((s) => [s.ReferenceId, s]));
    return {
      nodes: services.map((s) => ({ id: keyOf(s), width, height })).sort((a, b) => a.id.localeCompare(b.id)),
      edges: services.flatMap((s) => (s.Edges ?? []).filter((e) => byId.has(e.ReferenceId)).map((e) => ({ from: keyOf(s), to: keyOf(byId.get(e.ReferenceId)!) }))).sort((a, b) => (a.from + a.to).localeCompare(b.from + b.to)),
    };
  }, [services]);
  const shape = JSON.stringify(input);
  useEffect(() => {
    const made = new Worker(new URL("./layout_worker.ts", import.meta.url), { type: "module" });
    made.onmessage = (e: MessageEvent<LayoutOutput>) => setOut(e.data);
    worker.current = made;
    return () => made.terminate();
  }, []);
  useEffect(() => {
    if (input.nodes.length) worker.current?.postMessage(input);
    else setOut(undefined);
  }, [shape]);
  return services.length ? out : undefined;
}
