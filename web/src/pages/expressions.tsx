// Writing expressions: a builder for Metrics Insights SQL, one for SEARCH, and the text itself with
// completion of functions, row ids, namespaces and metric names.
import { useMemo, useState } from "preact/hooks";

import { param } from "../app/router";
import { Dialog, Field, Tabs } from "../ui/basic";
import { QueryEditor } from "../ui/lazy_editor";
import type { Metric, Row } from "./metric_data";
import { statistics } from "./metric_data";

const functions: [string, string][] = [
  ["SEARCH", "metrics by words: SEARCH('{Ns,Dim} MetricName=\"X\"', 'Average', 60)"], ["ANOMALY_DETECTION_BAND", "what is expected: (m1, 2)"], ["AVG", ""], ["SUM", ""], ["MIN", ""], ["MAX", ""], ["STDDEV", ""], ["METRICS", "all rows before"],
  ["RATE", "change a second"], ["DIFF", "change to the last point"], ["DIFF_TIME", ""], ["RUNNING_SUM", ""], ["FILL", "fill gaps: (m1, 0 | REPEAT | LINEAR)"], ["IF", "(condition, then, else)"], ["PERIOD", "seconds of a row"], ["SLICE", ""], ["SORT", "(array, AVG, DESC, 5)"],
  ["REMOVE_EMPTY", ""], ["FIRST", ""], ["LAST", ""], ["CEIL", ""], ["FLOOR", ""], ["ABS", ""], ["LOG", ""], ["LOG10", ""], ["METRIC_COUNT", ""], ["TIME_SERIES", ""], ["INSIGHT_RULE_METRIC", ""], ["DB_PERF_INSIGHTS", ""], ["DAY", ""], ["HOUR", ""], ["MINUTE", ""], ["EPOCH", ""],
];
const sqlWords = ["SELECT", "FROM", "SCHEMA", "WHERE", "GROUP BY", "ORDER BY", "ASC", "DESC", "LIMIT", "AND", "AVG", "COUNT", "MAX", "MIN", "SUM"];
const quoted = (name: string) => (/^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '\\"')}"`);
const text = (value: string) => `'${value.replaceAll("'", "\\'")}'`;

export function ExpressionDialog({ row, rows, metrics, onSave, onClose }: { row: Row; rows: Row[]; metrics: Metric[]; onSave: (expression: string) => void; onClose: () => void }) {
  const [expression, setExpression] = useState(row.expression ?? "");
  const [tab, setTab] = useState<"text" | "sql" | "search">("text");
  const words = useMemo(
    () => [
      ...functions.map(([label, detail]) => ({ label, detail, type: "function", apply: label + "(" })),
      ...sqlWords.map((label) => ({ label, type: "keyword" })),
      ...rows.filter((r) => r.id !== row.id).map((r) => ({ label: r.id, detail: r.metric?.MetricName ?? r.expression ?? "", type: "variable" })),
    ],
    [rows],
  );
  const names = useMemo(() => [...new Set(metrics.flatMap((m) => [m.Namespace, m.MetricName, ...(m.Dimensions ?? []).map((d) => d.Name)]))], [metrics]);
  const save = () => {
    onSave(expression);
    onClose();
  };
  return (
    <Dialog title={`Expression ${row.id}`} onClose={onClose} wide>
      <Tabs tabs={[["text", "Text"], ["sql", "Metrics Insights builder"], ["search", "SEARCH builder"]] as const} at={tab} onChange={setTab} />
      {tab === "sql" && <SqlBuilder metrics={metrics} onText={setExpression} />}
      {tab === "search" && <SearchBuilder metrics={metrics} onText={setExpression} />}
      <QueryEditor label={`Expression of ${row.id}`} text={expression} onChange={setExpression} onRun={save} keywords={words} fields={names} hint="m1 / m2 * 100, SEARCH('...', 'Average', 60), SELECT AVG(x) FROM ns GROUP BY dim" />
      <div class="row run-row"><button class="primary" onClick={save}>Use</button><small>Ctrl-Enter</small></div>
    </Dialog>
  );
}

// What the metrics at hand offer once a namespace is chosen.
function useNames(metrics: Metric[], namespace: string) {
  return useMemo(() => {
    const here = metrics.filter((m) => m.Namespace === namespace);
    return {
      namespaces: [...new Set(metrics.map((m) => m.Namespace))].sort(),
      names: [...new Set(here.map((m) => m.MetricName))].sort(),
      dimensions: [...new Set(here.flatMap((m) => (m.Dimensions ?? []).map((d) => d.Name)))].sort(),
      values: (dimension: string) => [...new Set(here.flatMap((m) => (m.Dimensions ?? []).filter((d) => d.Name === dimension).map((d) => d.Value)))].sort(),
    };
  }, [metrics, namespace]);
}

function Choice({ label, value, options, empty, onChange }: { label: string; value: string; options: string[]; empty?: string; onChange: (value: string) => void }) {
  return (
    <Field label={label}>
      <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {empty !== undefined && <option value="">{empty}</option>}
        {options.map((o) => <option value={o}>{o}</option>)}
      </select>
    </Field>
  );
}

function SqlBuilder({ metrics, onText }: { metrics: Metric[]; onText: (text: string) => void }) {
  const first = param("ns").value || metrics[0]?.Namespace || "";
  const [form, setForm] = useState({ namespace: first, metric: "", f: "AVG", group: "", where: "", equals: "", order: "", limit: "" });
  const names = useNames(metrics, form.namespace);
  const set = (change: Partial<typeof form>) => {
    const now = { ...form, ...change };
    setForm(now);
    const metric = now.metric || names.names[0];
    if (!metric) return;
    onText(
      `SELECT ${now.f}(${quoted(metric)}) FROM ${quoted(now.namespace)}` +
        (now.where && now.equals ? ` WHERE ${quoted(now.where)} = ${text(now.equals)}` : "") +
        (now.group ? ` GROUP BY ${quoted(now.group)}` : "") +
        (now.order ? ` ORDER BY ${now.f}() ${now.order}` : "") +
        (now.limit ? ` LIMIT ${now.limit}` : ""),
    );
  };
  return (
    <div class="form run-row">
      <Choice label="Function" value={form.f} options={["AVG", "SUM", "MIN", "MAX", "COUNT"]} onChange={(f) => set({ f })} />
      <Choice label="Namespace" value={form.namespace} options={names.namespaces} empty="choose" onChange={(namespace) => set({ namespace, metric: "", group: "", where: "" })} />
      <Choice label="Metric" value={form.metric} options={names.names} empty="choose" onChange={(metric) => set({ metric })} />
      <Choice label="Where" value={form.where} options={names.dimensions} empty="all" onChange={(where) => set({ where, equals: names.values(where)[0] ?? "" })} />
      {form.where && <Choice label="equals" value={form.equals} options={names.values(form.where)} onChange={(equals) => set({ equals })} />}
      <Choice label="Group by" value={form.group} options={names.dimensions} empty="nothing" onChange={(group) => set({ group })} />
      <Choice label="Order" value={form.order} options={["DESC", "ASC"]} empty="as it comes" onChange={(order) => set({ order })} />
      <Choice label="Limit" value={form.limit} options={["1", "5", "10", "50", "100"]} empty="500" onChange={(limit) => set({ limit })} />
    </div>
  );
}

function SearchBuilder({ metrics, onText }: { metrics: Metric[]; onText: (text: string) => void }) {
  const [form, setForm] = useState({ namespace: param("ns").value || metrics[0]?.Namespace || "", metric: "", dimension: "", words: "", stat: "Average" });
  const names = useNames(metrics, form.namespace);
  const set = (change: Partial<typeof form>) => {
    const now = { ...form, ...change };
    setForm(now);
    const scope = now.dimension ? `{${[now.namespace, now.dimension].map((n) => (/[^\w/]/.test(n) ? `"${n}"` : n)).join(",")}}` : `Namespace="${now.namespace}"`;
    const term = [scope, now.metric && `MetricName="${now.metric}"`, now.words].filter(Boolean).join(" ");
    onText(`SEARCH(${text(term)}, '${now.stat}', 60)`);
  };
  return (
    <div class="form run-row">
      <Choice label="Namespace" value={form.namespace} options={names.namespaces} empty="choose" onChange={(namespace) => set({ namespace, metric: "", dimension: "" })} />
      <Choice label="Metric" value={form.metric} options={names.names} empty="any" onChange={(metric) => set({ metric })} />
      <Choice label="Every value of" value={form.dimension} options={names.dimensions} empty="any dimensions" onChange={(dimension) => set({ dimension })} />
      <Field label="Words"><input value={form.words} onInput={(e) => set({ words: e.currentTarget.value })} /></Field>
      <Choice label="Statistic" value={form.stat} options={statistics} onChange={(stat) => set({ stat })} />
    </div>
  );
}
