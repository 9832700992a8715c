// The form that makes or changes an alarm: of one metric, of an expression, of an anomaly band, of a
// query over logs, or of other alarms; with a preview of what it would see.
import { useMemo, useState } from "preact/hooks";

import { describeAlarms, type Alarm } from "../api/alarms";
import { cloudwatch, sns } from "../api/client";
import { go, href, param } from "../app/router";
import { account, region } from "../app/settings";
import { range } from "../app/time";
import { Card, CliButton, Empty, Field, Page, Problem, quote, Tabs } from "../ui/basic";
import { Chart } from "../ui/chart";
import { useLoad } from "../ui/load";
import { attempt } from "../ui/toast";
import { RuleTree, rowsOf, signs } from "./alarm_parts";
import { parseRows, queriesOf, readMetrics, statistics, type Row } from "./metric_data";

const kinds = [["metric", "Metric"], ["anomaly", "Anomaly"], ["math", "Expression"], ["log", "Log query"], ["composite", "Composite"]] as const;
type Kind = (typeof kinds)[number][0];
const bandOperators = ["LessThanLowerOrGreaterThanUpperThreshold", "GreaterThanUpperThreshold", "LessThanLowerThreshold"];
const operators = Object.keys(signs).filter((o) => !bandOperators.includes(o));

const start = {
  kind: "metric" as Kind, name: "", description: "", namespace: "", metric: "", dimensions: "", stat: "Average", period: "60", periods: "1", datapoints: "",
  operator: operators[0]!, threshold: "0", missing: "missing", topic: "", width: "2", rows: "", rule: "",
  query: "fields @message | filter @message like /ERROR/", groups: "", aggregation: "count(*)", every: "5",
};
type Form = typeof start;

function formOf(a: Alarm): Partial<Form> {
  const rows = rowsOf(a);
  const metric = rows.find((r) => r.metric);
  const width = /ANOMALY_DETECTION_BAND\s*\(\s*\w+\s*,\s*([\d.]+)/.exec(rows.find((r) => r.id === a.ThresholdMetricId)?.expression ?? "")?.[1];
  return {
    kind: a.AlarmRule !== undefined ? "composite" : a.ScheduledQueryConfiguration ? "log" : a.ThresholdMetricId ? "anomaly" : a.MetricName ? "metric" : "math",
    name: a.AlarmName, description: a.AlarmDescription ?? "", rule: a.AlarmRule ?? "", rows: JSON.stringify(rows, null, 1),
    namespace: metric?.metric?.Namespace ?? "", metric: metric?.metric?.MetricName ?? "", dimensions: (metric?.metric?.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`).join("\n"),
    stat: metric?.stat ?? "Average", period: String(a.Period ?? metric?.period ?? 60), periods: String(a.EvaluationPeriods ?? 1), datapoints: a.DatapointsToAlarm ? String(a.DatapointsToAlarm) : "",
    operator: a.ComparisonOperator ?? operators[0]!, threshold: String(a.Threshold ?? 0), missing: a.TreatMissingData ?? "missing", topic: a.AlarmActions?.[0] ?? "", ...(width ? { width } : {}), ...formOfQuery(a),
  };
}

function formOfQuery(a: Alarm): Partial<Form> {
  const query = a.ScheduledQueryConfiguration;
  if (!query) return {};
  const every = /rate\((\d+) (minute|hour)/.exec(query.ScheduleConfiguration?.ScheduleExpression ?? "");
  return {
    query: query.QueryString ?? "", groups: (query.LogGroupIdentifiers ?? []).join("\n"), aggregation: query.AggregationExpression ?? "count(*)",
    every: every ? String(Number(every[1]) * (every[2] === "hour" ? 60 : 1)) : "5", periods: String(a.QueryResultsToEvaluate ?? 1), datapoints: a.QueryResultsToAlarm ? String(a.QueryResultsToAlarm) : "",
  };
}

// What the form says as an operation and its input.
function request(f: Form): [string, Record<string, unknown>] {
  const actions = f.topic ? { AlarmActions: [f.topic], OKActions: [f.topic] } : {};
  const shared = { AlarmName: f.name, ...(f.description ? { AlarmDescription: f.description } : {}), ...actions };
  if (f.kind === "composite") return ["PutCompositeAlarm", { ...shared, AlarmRule: f.rule }];
  if (f.kind === "log") {
    const minutes = Math.max(1, Number(f.every));
    return ["PutLogAlarm", {
      ...shared,
      ScheduledQueryConfiguration: {
        QueryString: f.query, LogGroupIdentifiers: f.groups.split("\n").map((g) => g.trim()).filter(Boolean), AggregationExpression: f.aggregation,
        ScheduledQueryRoleARN: `arn:aws:iam::${account.value}:role/fogwatch-log-alarm`,
        ScheduleConfiguration: { ScheduleExpression: `rate(${minutes} minute${minutes === 1 ? "" : "s"})`, StartTimeOffset: minutes * 60 },
      },
      QueryResultsToEvaluate: Number(f.periods), QueryResultsToAlarm: Number(f.datapoints || f.periods), Threshold: Number(f.threshold), TreatMissingData: f.missing,
      ComparisonOperator: bandOperators.includes(f.operator) ? operators[0] : f.operator,
    }];
  }
  const judged = { ...shared, EvaluationPeriods: Number(f.periods), ...(f.datapoints ? { DatapointsToAlarm: Number(f.datapoints) } : {}), TreatMissingData: f.missing };
  const operator = (f.kind === "anomaly") === bandOperators.includes(f.operator) ? f.operator : (f.kind === "anomaly" ? bandOperators : operators)[0];
  if (f.kind === "metric") {
    const Dimensions = dimensionsOf(f);
    return ["PutMetricAlarm", {
      ...judged, Namespace: f.namespace, MetricName: f.metric, ...(Dimensions.length ? { Dimensions } : {}),
      ...(["Average", "Sum", "Minimum", "Maximum", "SampleCount"].includes(f.stat) ? { Statistic: f.stat } : { ExtendedStatistic: f.stat }), Period: Number(f.period), ComparisonOperator: operator, Threshold: Number(f.threshold),
    }];
  }
  const queries = queriesOf(rowsOfForm(f), { from: 0, to: Number(f.period) * 1000 });
  // An alarm watches one result: the band's metric, or the last row that is shown.
  const watched = f.kind === "anomaly" ? "m1" : queries.findLast((q) => q.ReturnData)?.Id;
  const Metrics = queries.map((q) => ({ ...q, ReturnData: q.Id === watched || (f.kind === "anomaly" && q.Id === "band") }));
  return ["PutMetricAlarm", { ...judged, Metrics, ComparisonOperator: operator, ...(f.kind === "anomaly" ? { ThresholdMetricId: "band" } : { Threshold: Number(f.threshold) }) }];
}

const dimensionsOf = (f: Form) =>
  f.dimensions.split("\n").map((l) => l.trim()).filter((l) => l.includes("=")).map((l) => ({ Name: l.slice(0, l.indexOf("=")), Value: l.slice(l.indexOf("=") + 1) }));

function rowsOfForm(f: Form): Row[] {
  if (f.kind === "math") return parseRows(f.rows).map((r) => ({ ...r, ...(r.metric && !r.period ? { period: Number(f.period) } : {}) }));
  if (f.kind === "composite" || f.kind === "log" || !f.namespace || !f.metric) return [];
  const metric: Row = { id: "m1", metric: { Namespace: f.namespace, MetricName: f.metric, Dimensions: dimensionsOf(f) }, stat: f.stat, period: Number(f.period) };
  return f.kind === "anomaly" ? [metric, { id: "band", expression: `ANOMALY_DETECTION_BAND(m1, ${f.width})`, label: "expected" }] : [metric];
}

export function AlarmForm() {
  const [form, setForm] = useState<Form>(() => {
    const rows = parseRows(param("rows").value);
    const chosen = rows.find((r) => r.metric && !r.hidden) ?? rows.find((r) => r.metric);
    const kind = kinds.find(([k]) => k === param("type").value)?.[0] ?? "metric";
    return { ...start, kind, rows: JSON.stringify(rows.length ? rows : [{ id: "m1", metric: { Namespace: "App", MetricName: "Errors" }, stat: "Sum", hidden: true }, { id: "e1", expression: "m1 * 2" }], null, 1), ...(chosen?.metric ? { namespace: chosen.metric.Namespace, metric: chosen.metric.MetricName, dimensions: (chosen.metric.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`).join("\n"), stat: chosen.stat ?? "Average" } : {}) };
  });
  const editing = param("edit").value;
  const old = useLoad(async (s) => {
    if (!editing) return true;
    const alarm = (await describeAlarms({ AlarmNames: [editing] }, s)).items[0];
    if (alarm) setForm((f) => ({ ...f, ...formOf(alarm) }));
    return !!alarm;
  }, [editing]);
  const set = (key: keyof Form) => (e: { currentTarget: { value: string } }) => setForm({ ...form, [key]: e.currentTarget.value });
  const topics = useLoad(async (s) => (await sns<{ Topics?: { TopicArn: string }[] }>("ListTopics", {}, s)).Topics || [], [region.value, account.value]);
  const [operation, input] = request(form);
  const rows = rowsOfForm(form);
  const preview = useLoad((s) => (rows.length ? readMetrics(rows, range.value, s) : Promise.resolve(undefined)), [JSON.stringify(rows), range.value]);
  const series = useMemo(() => preview.value?.series ?? [], [preview.value]);
  const lines = useMemo(() => (form.kind === "anomaly" ? [] : [{ value: Number(form.threshold), label: `${signs[form.operator]} ${form.threshold}` }]), [form.threshold, form.operator, form.kind]);
  const save = async () => {
    if (await attempt(editing ? "Alarm changed" : "Alarm created", () => cloudwatch(operation, input))) go(["alarms", form.name], { rows: undefined, edit: undefined });
  };
  const ofMetric = form.kind === "metric" || form.kind === "anomaly";
  // Nothing is typed into a form that is yet to be filled.
  if (editing && !old.value)
    return (
      <Page title="Change alarm" crumbs={[{ text: "Alarms", href: href(["alarms"]) }]}>
        <Card>{old.error ? <Problem error={old.error} /> : old.value === false ? <Empty title="There is no alarm of this name here" /> : <p class="none">Reading…</p>}</Card>
      </Page>
    );
  return (
    <Page title={editing ? "Change alarm" : "Create alarm"} crumbs={[{ text: "Alarms", href: href(["alarms"]) }]}>
      <Card>
        <Tabs tabs={kinds} at={form.kind} onChange={(kind) => setForm({ ...form, kind })} />
        <form class="form run-row" onSubmit={(e) => { e.preventDefault(); void save(); }}>
          <Field label="Name"><input required readOnly={!!editing} value={form.name} onInput={set("name")} /></Field>
          <Field label="Description"><input value={form.description} onInput={set("description")} /></Field>
          {ofMetric && (
            <>
              <Field label="Namespace"><input required value={form.namespace} onInput={set("namespace")} /></Field>
              <Field label="Metric"><input required value={form.metric} onInput={set("metric")} /></Field>
              <Field label="Dimensions" hint="Name=Value, one a line"><textarea rows={2} value={form.dimensions} onInput={set("dimensions")} /></Field>
              <Field label="Statistic"><input list="statistics" required value={form.stat} onInput={set("stat")} /><datalist id="statistics">{statistics.map((s) => <option value={s} />)}</datalist></Field>
            </>
          )}
          {form.kind === "math" && <Field label="Rows" hint="as in the metrics explorer; the last shown row is watched"><textarea class="mono" rows={8} value={form.rows} onInput={set("rows")} /></Field>}
          {form.kind === "composite" && <Field label="Rule" hint={'ALARM("a") AND NOT (OK("b") OR AT_LEAST(2, ALARM, (c, d, e)))'}><textarea class="mono" rows={4} required value={form.rule} onInput={set("rule")} /></Field>}
          {form.kind === "log" && (
            <>
              <Field label="Log groups" hint="one a line"><textarea class="mono" rows={2} required value={form.groups} onInput={set("groups")} /></Field>
              <Field label="Query" hint="as in Logs Insights"><textarea class="mono" rows={3} required value={form.query} onInput={set("query")} /></Field>
              <Field label="Result" hint="count(*), or stats of a field, also by others"><input required value={form.aggregation} onInput={set("aggregation")} /></Field>
              <Field label="Every, minutes"><input type="number" min="1" required value={form.every} onInput={set("every")} /></Field>
            </>
          )}
          {form.kind !== "composite" && (
            <>
              {form.kind !== "log" && <Field label="Period, seconds"><input type="number" min="1" required value={form.period} onInput={set("period")} /></Field>}
              <Field label="Condition"><select value={form.operator} onChange={set("operator")}>{(form.kind === "anomaly" ? bandOperators : operators).map((k) => <option value={k}>{signs[k]} {k}</option>)}</select></Field>
              {form.kind === "anomaly" ? <Field label="Width of the band" hint="standard deviations"><input type="number" step="any" min="0" required value={form.width} onInput={set("width")} /></Field> : <Field label="Threshold"><input type="number" step="any" required value={form.threshold} onInput={set("threshold")} /></Field>}
              <Field label={form.kind === "log" ? "Results looked at" : "Evaluation periods"}><input type="number" min="1" required value={form.periods} onInput={set("periods")} /></Field>
              <Field label={form.kind === "log" ? "Results to alarm" : "Datapoints to alarm"} hint="empty: all"><input type="number" min="1" value={form.datapoints} onInput={set("datapoints")} /></Field>
              <Field label="Missing data"><select value={form.missing} onChange={set("missing")}>{["missing", "ignore", "breaching", "notBreaching"].map((m) => <option>{m}</option>)}</select></Field>
            </>
          )}
          <Field label="Notify topic"><select value={form.topic} onChange={set("topic")}><option value="">none</option>{topics.value?.map((t) => <option value={t.TopicArn}>{t.TopicArn.split(":").at(-1)}</option>)}</select></Field>
          <div class="row"><button class="primary">{editing ? "Save alarm" : "Create alarm"}</button><CliButton line={`cloudwatch ${{ PutMetricAlarm: "put-metric-alarm", PutLogAlarm: "put-log-alarm" }[operation] ?? "put-composite-alarm"} --cli-input-json ${quote(JSON.stringify(input))}`} /></div>
        </form>
      </Card>
      {form.kind === "composite" ? (
        form.rule && <Card title="The rule now"><RuleTree rule={form.rule} /></Card>
      ) : form.kind === "log" ? (
        <Card title="Preview"><p><a href={href(["logs", "insights"], { groups: form.groups.split("\n").map((g) => g.trim()).filter(Boolean).join("\n"), q: form.query })}>Run the query in Logs Insights</a></p></Card>
      ) : (
        <Card title="Preview">
          {preview.error && <Problem error={preview.error} />}
          <Chart label="Preview" series={series} from={range.value.from} to={range.value.to} height={220} lines={lines} />
        </Card>
      )}
    </Page>
  );
}
