// Dashboards: the list; a dashboard with its variables; a grid to arrange by pointer or keys; the
// source with AWS's validation messages.
import { useMemo, useRef, useState } from "preact/hooks";

import { ApiError, cloudwatch } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatTime, refreshTick } from "../app/time";
import { attemptIfSure, sure } from "../ui/ask";
import { Card, cli, CliButton, copy, Dialog, Empty, Field, formatBytes, Page, Problem, quote } from "../ui/basic";
import { useLoad } from "../ui/load";
import { arnColumn, ListTable, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { WidgetView, type Widget } from "./widgets";

interface Entry {
  DashboardName: string;
  DashboardArn: string;
  LastModified: number;
  Size: number;
}
interface Variable {
  type: string;
  property?: string;
  pattern?: string;
  id: string;
  label?: string;
  defaultValue?: string;
  inputType?: string;
  values?: { value: string; label?: string }[];
  visible?: boolean;
}
interface Body {
  widgets: Widget[];
  variables?: Variable[];
}

// What a new widget of each type begins with.
const defaults: Record<string, Widget> = {
  metric: { type: "metric", width: 12, height: 6, properties: { title: "Metric", view: "timeSeries", region: "us-east-1", stat: "Average", period: 60, metrics: [["App", "Latency"]] } },
  number: { type: "metric", width: 6, height: 3, properties: { title: "Number", view: "singleValue", region: "us-east-1", stat: "Average", period: 60, metrics: [["App", "Latency"]] } },
  gauge: { type: "metric", width: 6, height: 5, properties: { title: "Gauge", view: "gauge", region: "us-east-1", stat: "Average", period: 60, yAxis: { left: { min: 0, max: 100 } }, metrics: [["App", "Utilization"]] } },
  pie: { type: "metric", width: 6, height: 5, properties: { title: "Pie", view: "pie", region: "us-east-1", stat: "Sum", period: 300, metrics: [["App", "Requests"]] } },
  bar: { type: "metric", width: 6, height: 5, properties: { title: "Bar", view: "bar", region: "us-east-1", stat: "Sum", period: 300, metrics: [["App", "Requests"]] } },
  table: { type: "metric", width: 12, height: 5, properties: { title: "Table", view: "table", region: "us-east-1", stat: "Sum", period: 300, metrics: [["App", "Requests"]] } },
  text: { type: "text", width: 24, height: 2, properties: { markdown: "# New dashboard\nPress Edit to add widgets." } },
  log: { type: "log", width: 24, height: 6, properties: { title: "Log query", view: "table", region: "us-east-1", query: "SOURCE '/my/group' | stats count(*) by bin(5m)" } },
  alarm: { type: "alarm", width: 6, height: 4, properties: { title: "Alarms", alarms: [] } },
  explorer: { type: "explorer", width: 24, height: 8, properties: { title: "Explorer", metrics: [{ metricName: "CPUUtilization", resourceType: "AWS::EC2::Instance", stat: "Average" }], labels: [{ key: "Name" }], period: 300, widgetOptions: { view: "timeSeries", legend: { position: "bottom" }, rowsPerPage: 8, widgetsPerRow: 2 } } },
};

export default function Dashboards() {
  const name = route.value.path[1];
  return name ? <Dashboard name={name} /> : <List />;
}

function List() {
  const [creating, setCreating] = useState(false);
  const list = useLoad(async (s) => (await cloudwatch<{ DashboardEntries?: Entry[] }>("ListDashboards", {}, s)).DashboardEntries ?? [], [refreshTick.value, account.value]);
  const columns: Column<Entry>[] = [
    { id: "name", title: "Dashboard", value: (d) => d.DashboardName, cell: (d) => <a href={href(["dashboards", d.DashboardName])}>{d.DashboardName}</a> },
    { id: "changed", title: "Changed", value: (d) => d.LastModified, cell: (d) => formatTime(d.LastModified * 1000, false) },
    { id: "size", title: "Size", numeric: true, value: (d) => d.Size, cell: (d) => formatBytes(d.Size) },
    arnColumn((d) => d.DashboardArn),
  ];
  return (
    <Page title="Dashboards" actions={<button class="primary" onClick={() => setCreating(true)}>Create dashboard</button>}>
      {list.error && <Problem error={list.error} />}
      {list.value?.length === 0 ? (
        <Card><Empty title="No dashboard yet" command={cli(`cloudwatch put-dashboard --dashboard-name app --dashboard-body '{"widgets":[{"type":"metric","x":0,"y":0,"width":12,"height":6,"properties":{"metrics":[["App","Latency"]],"region":"us-east-1","stat":"Average","period":60,"title":"Latency"}}]}'`)} /></Card>
      ) : (
        <ListTable name="dashboards" cli="cloudwatch list-dashboards" label="Dashboards" columns={columns} rows={list.value ?? []} rowKey={(d) => d.DashboardName} onRow={(d) => go(["dashboards", d.DashboardName])} />
      )}
      {creating && <Create onClose={() => setCreating(false)} />}
    </Page>
  );
}

function Create({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const start = JSON.stringify({ widgets: [{ type: "text", x: 0, y: 0, width: 24, height: 2, properties: { markdown: "# New dashboard\nPress Edit to add widgets." } }] });
  return (
    <Dialog title="Create dashboard" onClose={onClose}>
      <form class="row" onSubmit={(e) => { e.preventDefault(); void attempt("Dashboard created", () => cloudwatch("PutDashboard", { DashboardName: name, DashboardBody: start })).then((ok) => ok && go(["dashboards", name])); }}>
        <input class="grow" aria-label="Name" placeholder="Name" required pattern="[A-Za-z0-9\-_]+" value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <button class="primary">Create</button>
      </form>
    </Dialog>
  );
}

// A property variable sets a property, or the value after a dimension of that name, everywhere; a
// pattern variable replaces its text.
function substitute(body: Body, chosen: URLSearchParams): Body {
  let text = JSON.stringify(body.widgets);
  for (const v of body.variables ?? []) {
    const value = chosen.get(v.id) ?? v.defaultValue;
    if (!value) continue;
    if (v.type === "pattern") {
      if (v.pattern ?? v.property) text = text.replaceAll((v.pattern ?? v.property)!, JSON.stringify(value).slice(1, -1));
      continue;
    }
    const walk = (node: unknown): unknown => {
      if (Array.isArray(node)) return node.map((item, i) => (i > 0 && node[i - 1] === v.property && typeof item === "string" && i >= 3 && i % 2 === 1 ? value : walk(item)));
      if (node && typeof node === "object") return Object.fromEntries(Object.entries(node).map(([k, x]) => [k, k === v.property && typeof x === "string" ? value : walk(x)]));
      return node;
    };
    text = JSON.stringify(walk(JSON.parse(text)));
  }
  return { ...body, widgets: JSON.parse(text) as Widget[] };
}

const parseBody = (text: string): Body => {
  try {
    const body = JSON.parse(text) as Body;
    return { ...body, widgets: Array.isArray(body.widgets) ? body.widgets : [] };
  } catch {
    return { widgets: [] };
  }
};
const clamp = (n: number, low: number, high: number) => Math.max(low, Math.min(high, n));

function Dashboard({ name }: { name: string }) {
  const [asSource, setAsSource] = useState(false);
  const [draft, setDraft] = useState<Body>();
  const [editing, setEditing] = useState<number>();
  const read = useLoad((s) => cloudwatch<{ DashboardBody: string }>("GetDashboard", { DashboardName: name }, s), [name, account.value, refreshTick.value]);
  const variables = param("vars").value;
  const stored = useMemo(() => (read.value ? parseBody(read.value.DashboardBody) : undefined), [read.value]);
  const body = draft ?? stored;
  const shown = useMemo(() => body && substitute(body, new URLSearchParams(variables)), [body, variables]);
  const change = (index: number, next: Partial<Widget>) => body && setDraft({ ...body, widgets: body.widgets.map((w, i) => (i === index ? { ...w, ...next } : w)) });
  const move = (index: number, dx: number, dy: number, dw = 0, dh = 0) => {
    const w = body?.widgets[index];
    if (!w) return;
    const width = clamp((w.width ?? 6) + dw, 1, 24);
    change(index, { width, height: clamp((w.height ?? 6) + dh, 1, 100), x: clamp((w.x ?? 0) + dx, 0, 24 - width), y: clamp((w.y ?? 0) + dy, 0, 1000) });
  };
  const bottom = Math.max(0, ...(body?.widgets ?? []).map((w) => (w.y ?? 0) + (w.height ?? 6)));
  const add = (kind: string) => {
    const made = structuredClone(defaults[kind]!);
    if ("region" in made.properties) made.properties["region"] = region.value;
    setDraft({ ...(body ?? { widgets: [] }), widgets: [...(body?.widgets ?? []), { ...made, x: 0, y: bottom }] });
    setEditing(body?.widgets.length ?? 0);
  };
  const save = async () => {
    if (draft && (await attempt("Dashboard saved", () => cloudwatch("PutDashboard", { DashboardName: name, DashboardBody: JSON.stringify(draft) })))) {
      read.reload();
      setDraft(undefined);
    }
  };
  const widget = editing === undefined ? undefined : body?.widgets[editing];
  return (
    <Page
      title={name}
      crumbs={[{ text: "Dashboards", href: href(["dashboards"]) }]}
      actions={
        draft ? (
          <>
            <select aria-label="Add widget" value="" onChange={(e) => { add(e.currentTarget.value); e.currentTarget.value = ""; }}>
              <option value="">Add widget</option>
              {Object.keys(defaults).map((k) => <option>{k}</option>)}
            </select>
            <button class="primary" onClick={() => void save()}>Save</button>
            <button onClick={() => void (draft === stored ? Promise.resolve(true) : sure("Drop the changes?", "Drop")).then((yes) => yes && setDraft(undefined))}>Cancel</button>
          </>
        ) : (
          <>
            <CliButton line={`cloudwatch get-dashboard --dashboard-name ${quote(name)}`} />
            <button onClick={() => copy(location.href)}>Copy link</button>
            <button disabled={!stored} onClick={() => setDraft(stored)}>Edit</button>
            <button disabled={!stored} onClick={() => setAsSource(true)}>Source</button>
            <button class="danger" onClick={() => void attemptIfSure(`Delete the dashboard ${name}?`, "Dashboard deleted", () => cloudwatch("DeleteDashboards", { DashboardNames: [name] })).then((ok) => ok && go(["dashboards"]))}>Delete</button>
          </>
        )
      }
    >
      {read.error && <Problem error={read.error} />}
      <Variables list={body?.variables ?? []} />
      {draft && <p class="soft" role="status">Drag a widget by its bar, size it at its corner; or focus it: Alt and arrow keys move, with Shift they size.</p>}
      {shown && (
        <div class={"dash-grid" + (draft ? " editing" : "")}>
          {shown.widgets.map((w, i) => (
            <Tile
              key={i}
              widget={w}
              editing={!!draft}
              onMove={(dx, dy, dw, dh) => move(i, dx, dy, dw, dh)}
              onEdit={() => setEditing(i)}
              onCopy={() => draft && setDraft({ ...draft, widgets: [...draft.widgets, { ...structuredClone(draft.widgets[i]!), y: bottom }] })}
              onRemove={() => draft && setDraft({ ...draft, widgets: draft.widgets.filter((_, j) => j !== i) })}
            />
          ))}
        </div>
      )}
      {shown?.widgets.length === 0 && <Card><Empty title="This dashboard has no widgets" text="Press Edit to add some." /></Card>}
      {widget && editing !== undefined && <WidgetEditor widget={widget} onSave={(w) => { change(editing, w); setEditing(undefined); }} onClose={() => setEditing(undefined)} />}
      {asSource && read.value && <SourceEditor name={name} body={read.value.DashboardBody} onClose={() => { setAsSource(false); read.reload(); }} />}
    </Page>
  );
}

function Variables({ list }: { list: Variable[] }) {
  const chosen = new URLSearchParams(param("vars").value);
  const shown = list.filter((v) => v.visible !== false);
  if (!shown.length) return null;
  const change = (id: string, value: string) => {
    chosen.set(id, value);
    setParams({ vars: chosen.toString() }, true);
  };
  return (
    <div class="row">
      {shown.map((v) => {
        const value = chosen.get(v.id) ?? v.defaultValue ?? "";
        return (
          <Field label={v.label ?? v.id}>
            {v.values && v.inputType !== "input" ? (
              <select value={value} onChange={(e) => change(v.id, e.currentTarget.value)}>{v.values.map((x) => <option value={x.value}>{x.label ?? x.value}</option>)}</select>
            ) : (
              <input value={value} onChange={(e) => change(v.id, e.currentTarget.value)} />
            )}
          </Field>
        );
      })}
    </div>
  );
}

// One widget in the grid; while editing it has a bar to drag by and a corner to size by.
function Tile(props: { widget: Widget; editing: boolean; onMove: (dx: number, dy: number, dw?: number, dh?: number) => void; onEdit: () => void; onCopy: () => void; onRemove: () => void }) {
  const { widget: w, editing } = props;
  const box = useRef<HTMLElement>(null);
  const grip = useRef<{ x: number; y: number; sizes: boolean }>(undefined);
  const title = String(w.properties?.["title"] ?? w.type);
  const press = (sizes: boolean) => (e: PointerEvent) => {
    (e.currentTarget as Element).setPointerCapture(e.pointerId);
    grip.current = { x: e.clientX, y: e.clientY, sizes };
    e.preventDefault();
  };
  // Whole cells only: what is left of the way stays for the next step.
  const drag = (e: PointerEvent) => {
    const from = grip.current;
    if (!from) return;
    const cell = box.current!.parentElement!.clientWidth / 24;
    const dx = Math.trunc((e.clientX - from.x) / cell);
    const dy = Math.trunc((e.clientY - from.y) / 56);
    if (!dx && !dy) return;
    grip.current = { ...from, x: from.x + dx * cell, y: from.y + dy * 56 };
    if (from.sizes) props.onMove(0, 0, dx, dy);
    else props.onMove(dx, dy);
  };
  const release = () => (grip.current = undefined);
  const onKey = (e: KeyboardEvent) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!editing || !e.altKey || !by) return;
    e.preventDefault();
    if (e.shiftKey) props.onMove(0, 0, by[0], by[1]);
    else props.onMove(by[0]!, by[1]!);
  };
  return (
    <article ref={box} class="widget card" tabIndex={0} aria-label={`${title} widget`} style={{ gridColumn: `${(w.x ?? 0) + 1} / span ${w.width ?? 6}`, gridRow: `${(w.y ?? 0) + 1} / span ${w.height ?? 6}` }} onKeyDown={onKey}>
      {editing && (
        <div class="tile-bar" onPointerDown={press(false)} onPointerMove={drag} onPointerUp={release}>
          <span class="grow">⠿ {w.type}</span>
          {([["Edit", props.onEdit], ["Copy", props.onCopy], ["Remove", props.onRemove]] as const).map(([text, act]) => <button class="link" aria-label={`${text} ${title}`} onPointerDown={(e) => e.stopPropagation()} onClick={act}>{text}</button>)}
        </div>
      )}
      <WidgetView widget={w} />
      {editing && <i class="tile-corner" onPointerDown={press(true)} onPointerMove={drag} onPointerUp={release} />}
    </article>
  );
}

function WidgetEditor({ widget, onSave, onClose }: { widget: Widget; onSave: (widget: Partial<Widget>) => void; onClose: () => void }) {
  const [text, setText] = useState(JSON.stringify(widget.properties, null, 2));
  const [problem, setProblem] = useState("");
  const properties = useMemo(() => {
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch {
      return undefined;
    }
  }, [text]);
  const set = (key: string, value: unknown) => setText(JSON.stringify({ ...properties, [key]: value }, null, 2));
  const save = () => (properties ? onSave({ properties }) : setProblem("The properties are not JSON."));
  return (
    <Dialog title={`${widget.type} widget`} onClose={onClose} wide>
      {properties && (
        <div class="form">
          {widget.type !== "text" && <Field label="Title"><input value={String(properties["title"] ?? "")} onInput={(e) => set("title", e.currentTarget.value)} /></Field>}
          {widget.type === "metric" && <Field label="View"><select value={String(properties["view"] ?? "timeSeries")} onChange={(e) => set("view", e.currentTarget.value)}>{["timeSeries", "singleValue", "gauge", "bar", "pie", "table"].map((v) => <option>{v}</option>)}</select></Field>}
          {widget.type === "log" && <Field label="View"><select value={String(properties["view"] ?? "table")} onChange={(e) => set("view", e.currentTarget.value)}>{["table", "timeSeries", "bar", "pie"].map((v) => <option>{v}</option>)}</select></Field>}
          {widget.type === "text" && <Field label="Markdown"><textarea rows={6} value={String(properties["markdown"] ?? "")} onInput={(e) => set("markdown", e.currentTarget.value)} /></Field>}
          {widget.type === "log" && <Field label="Query"><textarea class="mono" rows={4} value={String(properties["query"] ?? "")} onInput={(e) => set("query", e.currentTarget.value)} /></Field>}
        </div>
      )}
      <Field label="Properties"><textarea class="mono" rows={12} spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} /></Field>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <div class="row run-row"><button class="primary" onClick={save}>Use</button><button onClick={onClose}>Cancel</button></div>
    </Dialog>
  );
}

function SourceEditor({ name, body, onClose }: { name: string; body: string; onClose: () => void }) {
  const [text, setText] = useState(() => {
    try {
      return JSON.stringify(JSON.parse(body), null, 2);
    } catch {
      return body;
    }
  });
  const [problems, setProblems] = useState<string[]>([]);
  const syntax = useMemo(() => {
    try {
      JSON.parse(text);
      return "";
    } catch (e) {
      return String(e instanceof Error ? e.message : e);
    }
  }, [text]);
  const save = async () => {
    setProblems([]);
    try {
      const out = await cloudwatch<{ DashboardValidationMessages?: { DataPath?: string; Message?: string }[] }>("PutDashboard", { DashboardName: name, DashboardBody: text });
      const messages = (out.DashboardValidationMessages ?? []).map((m) => `${m.DataPath ?? ""}: ${m.Message ?? ""}`);
      if (messages.length) setProblems(messages);
      else onClose();
    } catch (e) {
      const details = e instanceof ApiError ? ((e.body as { dashboardValidationMessages?: { DataPath?: string; Message?: string }[] })?.dashboardValidationMessages ?? []) : [];
      setProblems([String(e instanceof Error ? e.message : e), ...details.map((m) => `${m.DataPath ?? ""}: ${m.Message ?? ""}`)]);
    }
  };
  return (
    <Dialog title="Source" onClose={onClose} wide>
      <textarea rows={24} class="mono" aria-label="Dashboard source" spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} />
      {syntax && <p class="problem" role="alert">{syntax}</p>}
      {problems.map((p) => <p class="problem">{p}</p>)}
      <div class="row run-row"><button class="primary" onClick={() => void save()}>Save</button></div>
    </Dialog>
  );
}
