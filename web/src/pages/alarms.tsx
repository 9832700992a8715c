// Alarms: list with timeline strips; one alarm with its chart, reason and history; the form.
import { useMemo, useState } from "preact/hooks";

import { cloudwatch, pages, sns } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { ago, formatTime, range, refreshTick } from "../app/time";
import { Badge, Card, cli, CliButton, Dialog, Empty, Field, Page, Problem, quote, Search, stateTone, Tabs } from "../ui/basic";
import { Chart } from "../ui/chart";
import { useLoad } from "../ui/load";
import { ExportButtons, Table, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { readMetrics, statistics, type Dimension, type Metric, type Row } from "./metric_data";

export interface Alarm {
  AlarmName: string;
  AlarmArn: string;
  AlarmDescription?: string;
  ActionsEnabled?: boolean;
  AlarmActions?: string[];
  OKActions?: string[];
  InsufficientDataActions?: string[];
  StateValue: "OK" | "ALARM" | "INSUFFICIENT_DATA";
  StateReason?: string;
  StateReasonData?: string;
  StateUpdatedTimestamp?: number;
  StateTransitionedTimestamp?: number;
  AlarmRule?: string;
  Namespace?: string;
  MetricName?: string;
  Dimensions?: Dimension[];
  Statistic?: string;
  ExtendedStatistic?: string;
  Period?: number;
  EvaluationPeriods?: number;
  DatapointsToAlarm?: number;
  Threshold?: number;
  ComparisonOperator?: string;
  TreatMissingData?: string;
  Unit?: string;
  Metrics?: { Id: string; Expression?: string; Label?: string; ReturnData?: boolean; Period?: number; MetricStat?: { Metric: Metric; Period: number; Stat: string } }[];
}
interface HistoryItem {
  AlarmName: string;
  Timestamp: number;
  HistoryItemType: string;
  HistorySummary: string;
  HistoryData: string;
}

const signs: Record<string, string> = { GreaterThanThreshold: ">", GreaterThanOrEqualToThreshold: "≥", LessThanThreshold: "<", LessThanOrEqualToThreshold: "≤", GreaterThanUpperThreshold: "> band", LessThanLowerThreshold: "< band", LessThanLowerOrGreaterThanUpperThreshold: "outside band" };

export function condition(a: Alarm): string {
  if (a.AlarmRule !== undefined) return a.AlarmRule;
  const what = a.MetricName ? `${a.Statistic ?? a.ExtendedStatistic ?? ""} ${a.MetricName}` : (a.Metrics?.find((m) => m.ReturnData !== false)?.Expression ?? "metrics");
  return `${what} ${signs[a.ComparisonOperator ?? ""] ?? a.ComparisonOperator ?? ""} ${a.Threshold ?? ""} for ${a.DatapointsToAlarm ?? a.EvaluationPeriods} of ${a.EvaluationPeriods} × ${a.Period ?? a.Metrics?.find((m) => m.MetricStat)?.MetricStat?.Period ?? "?"} s`;
}

async function allAlarms(signal: AbortSignal): Promise<Alarm[]> {
  return pages<Alarm>(async (token) => {
    const page = await cloudwatch<{ MetricAlarms?: Alarm[]; CompositeAlarms?: Alarm[]; NextToken?: string }>("DescribeAlarms", { AlarmTypes: ["MetricAlarm", "CompositeAlarm"], MaxRecords: 100, NextToken: token }, signal);
    return { items: [...(page.MetricAlarms ?? []), ...(page.CompositeAlarms ?? [])], next: page.NextToken };
  });
}

export default function Alarms() {
  const name = route.value.path[1];
  if (name === "new") return <AlarmForm />;
  return name ? <OneAlarm name={name} /> : <List />;
}

function List() {
  const filter = param("filter").value;
  const only = param("state").value;
  const alarms = useLoad(allAlarms, [refreshTick.value, region.value, account.value]);
  const history = useLoad(
    (s) => pages<HistoryItem>(async (token) => {
      const page = await cloudwatch<{ AlarmHistoryItems?: HistoryItem[]; NextToken?: string }>("DescribeAlarmHistory", { HistoryItemType: "StateUpdate", AlarmTypes: ["MetricAlarm", "CompositeAlarm"], StartDate: Math.floor(range.value.from / 1000), EndDate: Math.ceil(range.value.to / 1000), ScanBy: "TimestampAscending", NextToken: token }, s);
      return { items: page.AlarmHistoryItems ?? [], next: page.NextToken };
    }, 2000),
    [range.value, region.value, account.value],
  );
  const byName = useMemo(() => Map.groupBy(history.value ?? [], (h) => h.AlarmName), [history.value]);
  const rows = useMemo(() => (alarms.value ?? []).filter((a) => !only || a.StateValue === only), [alarms.value, only]);
  const count = (state: string) => (alarms.value ?? []).filter((a) => a.StateValue === state).length;
  const columns: Column<Alarm>[] = [
    { id: "state", title: "State", value: (a) => ({ ALARM: 0, INSUFFICIENT_DATA: 1, OK: 2 })[a.StateValue], cell: (a) => <Badge tone={stateTone(a.StateValue)}>{a.StateValue.replace("_", " ")}</Badge>, width: "150px" },
    { id: "name", title: "Alarm", value: (a) => a.AlarmName, cell: (a) => <a href={href(["alarms", a.AlarmName])}>{a.AlarmName}</a> },
    { id: "condition", title: "Condition", value: condition },
    { id: "strip", title: "In this time", value: () => "", cell: (a) => <Strip alarm={a} items={byName.get(a.AlarmName) ?? []} /> },
    { id: "since", title: "Since", value: (a) => a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp, cell: (a) => ago((a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp ?? 0) * 1000) },
    { id: "actions", title: "Actions", value: (a) => (a.ActionsEnabled === false ? "off" : (a.AlarmActions?.length ?? 0) + (a.OKActions?.length ?? 0)) },
  ];
  return (
    <Page title="Alarms" actions={<><CliButton line="cloudwatch describe-alarms" /><ExportButtons name="alarms" columns={columns} rows={rows} /><button class="primary" onClick={() => go(["alarms", "new"])}>Create alarm</button></>}>
      <Tabs
        tabs={[["", `All (${alarms.value?.length ?? 0})`], ["ALARM", `ALARM (${count("ALARM")})`], ["INSUFFICIENT_DATA", `Insufficient data (${count("INSUFFICIENT_DATA")})`], ["OK", `OK (${count("OK")})`]] as const}
        at={only as "" | "ALARM" | "OK" | "INSUFFICIENT_DATA"}
        onChange={(s) => setParams({ state: s || undefined }, true)}
      />
      <Search label="Filter alarms" value={filter} onInput={(v) => setParams({ filter: v })} />
      {alarms.error && <Problem error={alarms.error} />}
      {alarms.value?.length === 0 ? (
        <Card><Empty title="No alarm yet" command={cli("cloudwatch put-metric-alarm --alarm-name high-latency --namespace App --metric-name Latency --statistic Average --period 60 --evaluation-periods 2 --threshold 1000 --comparison-operator GreaterThanThreshold")} /></Card>
      ) : (
        <Table label="Alarms" columns={columns} rows={rows} rowKey={(a) => a.AlarmName} filter={filter} onRow={(a) => go(["alarms", a.AlarmName])} sort={{ by: "state", down: false }} />
      )}
    </Page>
  );
}

// The states of an alarm over the range, as a strip.
function Strip({ alarm, items }: { alarm: Alarm; items: HistoryItem[] }) {
  const { from, to } = range.value;
  const states: { at: number; state: string }[] = [];
  for (const item of [...items].sort((a, b) => a.Timestamp - b.Timestamp)) {
    let change: { oldState?: { stateValue?: string }; newState?: { stateValue?: string } } = {};
    try {
      change = JSON.parse(item.HistoryData) as typeof change;
    } catch {
      continue;
    }
    if (states.length === 0) states.push({ at: from, state: change.oldState?.stateValue ?? "INSUFFICIENT_DATA" });
    states.push({ at: item.Timestamp * 1000, state: change.newState?.stateValue ?? "INSUFFICIENT_DATA" });
  }
  if (states.length === 0) states.push({ at: from, state: alarm.StateValue });
  return (
    <svg class="strip" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={states.map((s) => `${s.state} from ${formatTime(s.at, false)}`).join(", ")}>
      {states.map((s, i) => {
        const x = Math.max(0, ((s.at - from) / (to - from)) * 100);
        const end = Math.min(100, (((states[i + 1]?.at ?? to) - from) / (to - from)) * 100);
        return <rect x={x} width={Math.max(0, end - x)} height="10" class={stateTone(s.state)} />;
      })}
    </svg>
  );
}

// What GetMetricData must be asked to see what the alarm sees.
export function rowsOf(a: Alarm): Row[] {
  if (a.MetricName && a.Namespace)
    return [{ id: "m1", metric: { Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions ?? [] }, stat: a.Statistic ?? a.ExtendedStatistic ?? "Average", ...(a.Period ? { period: a.Period } : {}) }];
  return (a.Metrics ?? []).map((m) => ({
    id: m.Id,
    ...(m.MetricStat ? { metric: m.MetricStat.Metric, stat: m.MetricStat.Stat, period: m.MetricStat.Period } : { expression: m.Expression ?? "", ...(m.Period ? { period: m.Period } : {}) }),
    ...(m.Label ? { label: m.Label } : {}),
    hidden: m.ReturnData === false,
  }));
}

function OneAlarm({ name }: { name: string }) {
  const [testing, setTesting] = useState(false);
  const read = useLoad(async (s) => {
    const found = await cloudwatch<{ MetricAlarms?: Alarm[]; CompositeAlarms?: Alarm[] }>("DescribeAlarms", { AlarmNames: [name], AlarmTypes: ["MetricAlarm", "CompositeAlarm"] }, s);
    return found.MetricAlarms?.[0] ?? found.CompositeAlarms?.[0];
  }, [name, refreshTick.value, region.value, account.value]);
  const a = read.value;
  const data = useLoad((s) => (a && !a.AlarmRule ? readMetrics(rowsOf(a), range.value, s) : Promise.resolve(undefined)), [a, range.value]);
  const history = useLoad(
    async (s) => (await cloudwatch<{ AlarmHistoryItems?: HistoryItem[] }>("DescribeAlarmHistory", { AlarmName: name, AlarmTypes: ["MetricAlarm", "CompositeAlarm"], MaxRecords: 100, ScanBy: "TimestampDescending" }, s)).AlarmHistoryItems ?? [],
    [name, refreshTick.value],
  );
  const act = async (title: string, operation: string) => {
    if (await attempt(title, () => cloudwatch(operation, { AlarmNames: [name] }))) read.reload();
  };
  const lines = useMemo(() => (a?.Threshold === undefined ? [] : [{ value: a.Threshold, label: `${signs[a.ComparisonOperator ?? ""] ?? ""} ${a.Threshold}` }]), [a]);
  return (
    <Page
      title={name}
      crumbs={[{ text: "Alarms", href: href(["alarms"]) }]}
      actions={
        a && (
          <>
            <CliButton line={`cloudwatch describe-alarms --alarm-names ${quote(name)}`} />
            <button onClick={() => setTesting(true)}>Test</button>
            <button onClick={() => void act(a.ActionsEnabled === false ? "Actions enabled" : "Actions disabled", a.ActionsEnabled === false ? "EnableAlarmActions" : "DisableAlarmActions")}>{a.ActionsEnabled === false ? "Enable actions" : "Disable actions"}</button>
            <button class="danger" onClick={() => confirm(`Delete ${name}?`) && void attempt("Alarm deleted", () => cloudwatch("DeleteAlarms", { AlarmNames: [name] })).then((ok) => ok && go(["alarms"]))}>Delete</button>
          </>
        )
      }
    >
      {read.error && <Problem error={read.error} />}
      {!a && !read.loading && !read.error && <Card><Empty title="There is no alarm of this name here" /></Card>}
      {a && (
        <>
          <Card>
            <p class="row"><Badge tone={stateTone(a.StateValue)}>{a.StateValue.replace("_", " ")}</Badge> <b>{condition(a)}</b> <small>{ago((a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp ?? 0) * 1000)}</small></p>
            {a.AlarmDescription && <p>{a.AlarmDescription}</p>}
            <p class="soft">{a.StateReason}</p>
          </Card>
          {!a.AlarmRule && (
            <Card title="What the alarm sees">
              {data.error && <Problem error={data.error} />}
              <Chart label={name} series={data.value?.series ?? []} from={range.value.from} to={range.value.to} height={260} lines={lines} />
            </Card>
          )}
          {a.AlarmRule && <RuleTree rule={a.AlarmRule} />}
          <div class="grid">
            <Card title="History">
              <ul class="plain">
                {history.value?.map((h) => (
                  <li>
                    <small>{formatTime(h.Timestamp * 1000, false)}</small> <Badge tone={h.HistoryItemType === "StateUpdate" ? "info" : "idle"}>{h.HistoryItemType}</Badge> {h.HistorySummary}
                  </li>
                ))}
                {history.value?.length === 0 && <p class="none">Nothing yet.</p>}
              </ul>
            </Card>
            <Card title="Configuration">
              <pre class="raw" tabIndex={0}>{JSON.stringify(a, null, 2)}</pre>
            </Card>
          </div>
          {testing && <TestDialog alarm={a} onClose={() => { setTesting(false); read.reload(); history.reload(); }} />}
        </>
      )}
    </Page>
  );
}

// The alarms a composite rule names, with their present truth.
function RuleTree({ rule }: { rule: string }) {
  const names = useMemo(() => [...new Set([...rule.matchAll(/\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^)\s]+))\s*\)/g)].map((m) => (m[1] ?? m[2] ?? m[3] ?? "").split(":alarm:").at(-1)!))], [rule]);
  const children = useLoad(async (s) => {
    if (!names.length) return [];
    const found = await cloudwatch<{ MetricAlarms?: Alarm[]; CompositeAlarms?: Alarm[] }>("DescribeAlarms", { AlarmNames: names, AlarmTypes: ["MetricAlarm", "CompositeAlarm"] }, s);
    return [...(found.MetricAlarms ?? []), ...(found.CompositeAlarms ?? [])];
  }, [rule, refreshTick.value]);
  return (
    <Card title="Rule">
      <pre class="raw">{rule}</pre>
      {names.map((n) => {
        const child = children.value?.find((c) => c.AlarmName === n);
        return <p class="row"><Badge tone={stateTone(child?.StateValue ?? "")}>{child?.StateValue ?? "missing"}</Badge> <a href={href(["alarms", n])}>{n}</a></p>;
      })}
    </Card>
  );
}

function TestDialog({ alarm, onClose }: { alarm: Alarm; onClose: () => void }) {
  const [state, setState] = useState(alarm.StateValue === "ALARM" ? "OK" : "ALARM");
  const [reason, setReason] = useState("Testing the actions by hand");
  return (
    <Dialog title="Set the state by hand" onClose={onClose}>
      <p class="soft">The actions of the state run. The next evaluation may change it back.</p>
      <form class="form" onSubmit={(e) => { e.preventDefault(); void attempt("State set", () => cloudwatch("SetAlarmState", { AlarmName: alarm.AlarmName, StateValue: state, StateReason: reason })).then((ok) => ok && onClose()); }}>
        <Field label="State"><select value={state} onChange={(e) => setState(e.currentTarget.value as "OK")}>{["OK", "ALARM", "INSUFFICIENT_DATA"].map((s) => <option>{s}</option>)}</select></Field>
        <Field label="Reason"><input value={reason} required onInput={(e) => setReason(e.currentTarget.value)} /></Field>
        <button class="primary">Set</button>
      </form>
    </Dialog>
  );
}

function AlarmForm() {
  const chosen = useMemo(() => {
    try {
      return (JSON.parse(param("rows").value || "[]") as Row[]).find((r) => r.metric);
    } catch {
      return undefined;
    }
  }, []);
  const [form, setForm] = useState({
    name: "", description: "", namespace: chosen?.metric?.Namespace ?? "", metric: chosen?.metric?.MetricName ?? "",
    dimensions: (chosen?.metric?.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`).join("\n"),
    stat: chosen?.stat ?? "Average", period: "60", periods: "1", datapoints: "", operator: "GreaterThanThreshold", threshold: "0", missing: "missing", topic: "",
  });
  const set = (key: keyof typeof form) => (e: { currentTarget: { value: string } }) => setForm({ ...form, [key]: e.currentTarget.value });
  const topics = useLoad(async (s) => (await sns<{ Topics?: { TopicArn: string }[] }>("ListTopics", {}, s)).Topics || [], [region.value, account.value]);
  const dimensions = form.dimensions.split("\n").map((l) => l.trim()).filter(Boolean).map((l) => ({ Name: l.split("=")[0]!, Value: l.slice(l.indexOf("=") + 1) }));
  const plain = ["Average", "Sum", "Minimum", "Maximum", "SampleCount"].includes(form.stat);
  const input = {
    AlarmName: form.name,
    ...(form.description ? { AlarmDescription: form.description } : {}),
    Namespace: form.namespace, MetricName: form.metric,
    ...(dimensions.length ? { Dimensions: dimensions } : {}),
    ...(plain ? { Statistic: form.stat } : { ExtendedStatistic: form.stat }),
    Period: Number(form.period), EvaluationPeriods: Number(form.periods),
    ...(form.datapoints ? { DatapointsToAlarm: Number(form.datapoints) } : {}),
    ComparisonOperator: form.operator, Threshold: Number(form.threshold), TreatMissingData: form.missing,
    ...(form.topic ? { AlarmActions: [form.topic], OKActions: [form.topic] } : {}),
  };
  const preview = useLoad((s) => (form.namespace && form.metric ? readMetrics([{ id: "m1", metric: { Namespace: form.namespace, MetricName: form.metric, Dimensions: dimensions }, stat: form.stat, period: Number(form.period) }], range.value, s) : Promise.resolve(undefined)), [form.namespace, form.metric, form.dimensions, form.stat, form.period, range.value]);
  const lines = useMemo(() => [{ value: Number(form.threshold), label: `${signs[form.operator]} ${form.threshold}` }], [form.threshold, form.operator]);
  const create = async () => {
    if (await attempt("Alarm created", () => cloudwatch("PutMetricAlarm", input))) go(["alarms", form.name], { rows: undefined });
  };
  return (
    <Page title="Create alarm" crumbs={[{ text: "Alarms", href: href(["alarms"]) }]}>
      <Card>
        <form class="form" onSubmit={(e) => { e.preventDefault(); void create(); }}>
          <Field label="Name"><input required value={form.name} onInput={set("name")} /></Field>
          <Field label="Description"><input value={form.description} onInput={set("description")} /></Field>
          <Field label="Namespace"><input required value={form.namespace} onInput={set("namespace")} /></Field>
          <Field label="Metric"><input required value={form.metric} onInput={set("metric")} /></Field>
          <Field label="Dimensions" hint="Name=Value, one a line"><textarea rows={2} value={form.dimensions} onInput={set("dimensions")} /></Field>
          <Field label="Statistic"><input list="statistics" required value={form.stat} onInput={set("stat")} /><datalist id="statistics">{statistics.map((s) => <option value={s} />)}</datalist></Field>
          <Field label="Period, seconds"><input type="number" min="1" required value={form.period} onInput={set("period")} /></Field>
          <Field label="Condition"><select value={form.operator} onChange={set("operator")}>{Object.entries(signs).slice(0, 4).map(([k, v]) => <option value={k}>{v} {k}</option>)}</select></Field>
          <Field label="Threshold"><input type="number" step="any" required value={form.threshold} onInput={set("threshold")} /></Field>
          <Field label="Evaluation periods"><input type="number" min="1" required value={form.periods} onInput={set("periods")} /></Field>
          <Field label="Datapoints to alarm" hint="empty: all"><input type="number" min="1" value={form.datapoints} onInput={set("datapoints")} /></Field>
          <Field label="Missing data"><select value={form.missing} onChange={set("missing")}>{["missing", "ignore", "breaching", "notBreaching"].map((m) => <option>{m}</option>)}</select></Field>
          <Field label="Notify topic"><select value={form.topic} onChange={set("topic")}><option value="">none</option>{topics.value?.map((t) => <option value={t.TopicArn}>{t.TopicArn.split(":").at(-1)}</option>)}</select></Field>
          <div class="row"><button class="primary">Create alarm</button><CliButton line={`cloudwatch put-metric-alarm --cli-input-json ${quote(JSON.stringify(input))}`} /></div>
        </form>
      </Card>
      <Card title="Preview">
        {preview.error && <Problem error={preview.error} />}
        <Chart label="Preview" series={preview.value?.series ?? []} from={range.value.from} to={range.value.to} height={220} lines={lines} />
      </Card>
    </Page>
  );
}
