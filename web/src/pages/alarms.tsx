// Alarms: list with timeline strips; one alarm with its chart, reason, rule and history; mute rules.
import { useMemo, useState } from "preact/hooks";

import { alarmTypes, allAlarms, describeAlarms, type Alarm } from "../api/alarms";
import { cloudwatch, pages } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { ago, formatTime, range, refreshTick, serverNow } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, cli, CliButton, Dialog, Empty, Field, Page, Problem, quote, stateTone, Tabs } from "../ui/basic";
import { Chart, type Line } from "../ui/chart";
import { useLoad } from "../ui/load";
import { arnColumn, ListTable, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { AlarmForm } from "./alarm_form";
import { condition, rowsOf, RuleTree, signs } from "./alarm_parts";
import { pretty } from "./event_dialog";
import { readMetrics } from "./metric_data";

interface HistoryItem {
  AlarmName: string;
  Timestamp: number;
  HistoryItemType: string;
  HistorySummary: string;
  HistoryData: string;
}

export default function Alarms() {
  const name = route.value.path[1];
  if (name === "new") return <AlarmForm key={param("edit").value} />;
  return name ? <OneAlarm name={name} /> : <List />;
}

const stateChanges = (name: string | undefined, signal: AbortSignal) =>
  pages<HistoryItem>(async (token) => {
    const page = await cloudwatch<{ AlarmHistoryItems?: HistoryItem[]; NextToken?: string }>("DescribeAlarmHistory", { ...(name ? { AlarmName: name } : {}), HistoryItemType: "StateUpdate", AlarmTypes: alarmTypes, StartDate: Math.floor(range.value.from / 1000), EndDate: Math.ceil(range.value.to / 1000), ScanBy: "TimestampAscending", NextToken: token }, signal);
    return { items: page.AlarmHistoryItems ?? [], next: page.NextToken };
  }, 2000);

const setActions = (a: Alarm) => attempt(a.ActionsEnabled === false ? "Actions enabled" : "Actions disabled", () => cloudwatch(a.ActionsEnabled === false ? "EnableAlarmActions" : "DisableAlarmActions", { AlarmNames: [a.AlarmName] }));

function List() {
  const only = param("state").value;
  const alarms = useLoad(allAlarms, [refreshTick.value, region.value, account.value]);
  const history = useLoad((s) => stateChanges(undefined, s), [range.value, region.value, account.value]);
  const byName = useMemo(() => Map.groupBy(history.value ?? [], (h) => h.AlarmName), [history.value]);
  const rows = useMemo(() => (alarms.value ?? []).filter((a) => !only || a.StateValue === only), [alarms.value, only]);
  const count = (state: string) => (alarms.value ?? []).filter((a) => a.StateValue === state).length;
  const columns = useMemo((): Column<Alarm>[] => [
    { id: "state", title: "State", value: (a) => ({ ALARM: 0, INSUFFICIENT_DATA: 1, OK: 2 })[a.StateValue], cell: (a) => <Badge tone={stateTone(a.StateValue)}>{a.StateValue.replace("_", " ")}</Badge>, width: "150px" },
    { id: "name", title: "Alarm", value: (a) => a.AlarmName, cell: (a) => <a href={href(["alarms", a.AlarmName])}>{a.AlarmName}</a> },
    { id: "condition", title: "Condition", value: condition, cell: (a) => <span title={condition(a)}>{condition(a)}</span> },
    { id: "strip", title: "In this time", value: (a) => byName.get(a.AlarmName)?.length ?? 0, cell: (a) => <Strip alarm={a} items={byName.get(a.AlarmName) ?? []} /> },
    { id: "since", title: "Since", value: (a) => a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp, cell: (a) => ago((a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp ?? 0) * 1000) },
    { id: "actions", title: "Actions", value: (a) => (a.ActionsEnabled === false ? "off" : (a.AlarmActions?.length ?? 0) + (a.OKActions?.length ?? 0)), cell: (a) => <button class="link" title={a.ActionsEnabled === false ? "Enable actions" : "Disable actions"} onClick={() => void setActions(a).then(alarms.reload)}>{a.ActionsEnabled === false ? "off" : `${(a.AlarmActions?.length ?? 0) + (a.OKActions?.length ?? 0)} on`}</button> },
    arnColumn((a) => a.AlarmArn),
  ], [byName]);
  return (
    <Page title="Alarms" actions={<button class="primary" onClick={() => go(["alarms", "new"])}>Create alarm</button>}>
      <Tabs
        tabs={[["", `All (${alarms.value?.length ?? 0})`], ["ALARM", `ALARM (${count("ALARM")})`], ["INSUFFICIENT_DATA", `Insufficient data (${count("INSUFFICIENT_DATA")})`], ["OK", `OK (${count("OK")})`], ["mute", "Mute rules"]] as const}
        at={only as "" | "ALARM" | "OK" | "INSUFFICIENT_DATA" | "mute"}
        onChange={(s) => setParams({ state: s || undefined }, true)}
      />
      {alarms.error && <Problem error={alarms.error} />}
      {only === "mute" ? (
        <MuteRules alarms={(alarms.value ?? []).map((a) => a.AlarmName)} />
      ) : alarms.value?.length === 0 ? (
        <Card><Empty title="No alarm yet" command={cli("cloudwatch put-metric-alarm --alarm-name high-latency --namespace App --metric-name Latency --statistic Average --period 60 --evaluation-periods 2 --threshold 1000 --comparison-operator GreaterThanThreshold")} /></Card>
      ) : (
        <ListTable name="alarms" cli="cloudwatch describe-alarms" label="Alarms" columns={columns} rows={rows} rowKey={(a) => a.AlarmName} onRow={(a) => go(["alarms", a.AlarmName])} sort={{ by: "state", down: false }} />
      )}
    </Page>
  );
}

interface MuteRule {
  Name: string;
  Status?: string;
  Rule?: { Schedule?: { Expression?: string; Duration?: string; Timezone?: string } };
  MuteTargets?: { AlarmNames?: string[] };
}

function MuteRules({ alarms }: { alarms: string[] }) {
  const read = useLoad(async (s) => {
    const list = await cloudwatch<{ AlarmMuteRuleSummaries?: { AlarmMuteRuleArn: string }[] }>("ListAlarmMuteRules", {}, s);
    return Promise.all((list.AlarmMuteRuleSummaries ?? []).map((r) => cloudwatch<MuteRule>("GetAlarmMuteRule", { AlarmMuteRuleName: r.AlarmMuteRuleArn.split(":").at(-1)! }, s)));
  }, [refreshTick.value, region.value, account.value]);
  const [form, setForm] = useState({ name: "", expression: "cron(0 2 * * *)", duration: "PT2H", alarm: "" });
  const set = (key: keyof typeof form) => (e: { currentTarget: { value: string } }) => setForm({ ...form, [key]: e.currentTarget.value });
  const create = () =>
    attempt("Mute rule created", () => cloudwatch("PutAlarmMuteRule", { Name: form.name, Rule: { Schedule: { Expression: form.expression, Duration: form.duration } }, ...(form.alarm ? { MuteTargets: { AlarmNames: [form.alarm] } } : {}) })).then(read.reload);
  const columns: Column<MuteRule>[] = [
    { id: "name", title: "Rule", value: (r) => r.Name },
    { id: "status", title: "Status", value: (r) => r.Status, cell: (r) => <Badge tone={r.Status === "ACTIVE" ? "warn" : "idle"}>{r.Status}</Badge> },
    { id: "when", title: "When", value: (r) => `${r.Rule?.Schedule?.Expression ?? ""} for ${r.Rule?.Schedule?.Duration ?? ""}` },
    { id: "alarms", title: "Alarms", value: (r) => r.MuteTargets?.AlarmNames?.join(", ") || "all" },
    { id: "do", title: "", value: () => "", cell: (r) => <button class="danger" onClick={() => void attemptIfSure(`Delete the mute rule ${r.Name}?`, "Mute rule deleted", () => cloudwatch("DeleteAlarmMuteRule", { AlarmMuteRuleName: r.Name })).then(read.reload)}>Delete</button> },
  ];
  return (
    <>
      {read.error && <Problem error={read.error} />}
      <ListTable name="mute-rules" cli="cloudwatch list-alarm-mute-rules" label="Mute rules" columns={columns} rows={read.value ?? []} rowKey={(r) => r.Name} />
      <Card title="Create mute rule">
        <form class="form" onSubmit={(e) => { e.preventDefault(); void create(); }}>
          <Field label="Name"><input required value={form.name} onInput={set("name")} /></Field>
          <Field label="Schedule" hint="cron(...) or at(...)"><input required class="mono" value={form.expression} onInput={set("expression")} /></Field>
          <Field label="Duration" hint="ISO 8601: PT2H"><input required class="mono" value={form.duration} onInput={set("duration")} /></Field>
          <Field label="Alarm"><select value={form.alarm} onChange={set("alarm")}><option value="">all alarms</option>{alarms.map((a) => <option>{a}</option>)}</select></Field>
          <button class="primary">Create</button>
        </form>
      </Card>
    </>
  );
}

// The states of an alarm over the range, as a strip.
function Strip({ alarm, items, wide }: { alarm: Alarm; items: HistoryItem[]; wide?: boolean }) {
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
    <svg class={"strip" + (wide ? " wide" : "")} viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={states.map((s) => `${s.state} from ${formatTime(s.at, false)}`).join(", ")}>
      {states.map((s, i) => {
        const x = Math.max(0, ((s.at - from) / (to - from)) * 100);
        const end = Math.min(100, (((states[i + 1]?.at ?? to) - from) / (to - from)) * 100);
        return <rect x={x} width={Math.max(0, end - x)} height="10" class={stateTone(s.state)}><title>{`${s.state} from ${formatTime(s.at, false)}`}</title></rect>;
      })}
    </svg>
  );
}

// How far back an alarm looks: its periods up to the last evaluation.
function windowOf(a: Alarm): { from: number; to: number } | undefined {
  const period = a.Period ?? a.Metrics?.find((m) => m.MetricStat)?.MetricStat?.Period;
  if (!period || !a.EvaluationPeriods) return undefined;
  const to = Math.floor(serverNow() / 1000 / period) * period * 1000;
  return { from: to - a.EvaluationPeriods * period * 1000, to };
}

function OneAlarm({ name }: { name: string }) {
  const [testing, setTesting] = useState(false);
  const [open, setOpen] = useState<HistoryItem>();
  const again = [name, refreshTick.value, region.value, account.value];
  const read = useLoad(async (s) => (await describeAlarms({ AlarmNames: [name] }, s)).items[0], again);
  const a = read.value;
  const data = useLoad((s) => (a && (a.MetricName || a.Metrics) ? readMetrics(rowsOf(a), range.value, s) : Promise.resolve(undefined)), [a, range.value]);
  const changes = useLoad((s) => stateChanges(name, s), [...again, range.value]);
  const history = useLoad(
    async (s) => (await cloudwatch<{ AlarmHistoryItems?: HistoryItem[] }>("DescribeAlarmHistory", { AlarmName: name, AlarmTypes: alarmTypes, MaxRecords: 100, ScanBy: "TimestampDescending" }, s)).AlarmHistoryItems ?? [],
    again,
  );
  const reload = () => [read, history, changes].forEach((r) => r.reload());
  const lines = useMemo((): Line[] => (a?.Threshold === undefined ? [] : [{ value: a.Threshold, label: `${signs[a.ComparisonOperator ?? ""] ?? ""} ${a.Threshold}` }]), [a]);
  const series = useMemo(() => data.value?.series ?? [], [data.value]);
  return (
    <Page
      title={name}
      crumbs={[{ text: "Alarms", href: href(["alarms"]) }]}
      actions={
        a && (
          <>
            <CliButton line={`cloudwatch describe-alarms --alarm-names ${quote(name)}`} />
            <button onClick={() => setTesting(true)}>Test</button>
            <button onClick={() => go(["alarms", "new"], { edit: name })}>Edit</button>
            <button onClick={() => void setActions(a).then(reload)}>{a.ActionsEnabled === false ? "Enable actions" : "Disable actions"}</button>
            <button class="danger" onClick={() => void attemptIfSure(`Delete the alarm ${name}?`, "Alarm deleted", () => cloudwatch("DeleteAlarms", { AlarmNames: [name] })).then((ok) => ok && go(["alarms"]))}>Delete</button>
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
            <Strip alarm={a} items={changes.value ?? []} wide />
          </Card>
          {a.ScheduledQueryConfiguration && <Card title="Query" actions={<a href={href(["logs", "insights"], { q: a.ScheduledQueryConfiguration.QueryString, groups: (a.ScheduledQueryConfiguration.LogGroupIdentifiers ?? []).map((g) => g.replace(/^.*:log-group:/, "").replace(/:\*$/, "")).join("\n") })}>Open in Logs Insights</a>}><pre class="raw" tabIndex={0}>{a.ScheduledQueryConfiguration.QueryString}</pre></Card>}
          {(a.MetricName || a.Metrics) && (
            <Card title="What the alarm sees">
              {data.error && <Problem error={data.error} />}
              <Chart label={name} series={series} from={range.value.from} to={range.value.to} height={260} lines={lines} window={windowOf(a)} />
              <small>Shaded: the {a.EvaluationPeriods} periods that the next evaluation looks at; {a.DatapointsToAlarm ?? a.EvaluationPeriods} of them decide. Missing data: {a.TreatMissingData ?? "missing"}.</small>
            </Card>
          )}
          {a.AlarmRule && <Card title="Rule"><RuleTree rule={a.AlarmRule} /></Card>}
          <div class="grid">
            <Card title="History">
              <ul class="plain">
                {history.value?.map((h) => (
                  <li>
                    <small>{formatTime(h.Timestamp * 1000, false)}</small> <Badge tone={h.HistoryItemType === "StateUpdate" ? "info" : h.HistoryItemType === "Action" ? "ok" : "idle"}>{h.HistoryItemType}</Badge> <button class="link" onClick={() => setOpen(h)}>{h.HistorySummary}</button>
                  </li>
                ))}
                {history.value?.length === 0 && <p class="none">Nothing yet.</p>}
              </ul>
            </Card>
            <Card title="Configuration">
              <pre class="raw" tabIndex={0}>{JSON.stringify(a, null, 2)}</pre>
            </Card>
          </div>
          {testing && <TestDialog alarm={a} onClose={() => { setTesting(false); reload(); }} />}
          {open && <Dialog title={open.HistorySummary} onClose={() => setOpen(undefined)} wide><small>{formatTime(open.Timestamp * 1000)}</small><pre class="raw" tabIndex={0}>{pretty(open.HistoryData)}</pre></Dialog>}
        </>
      )}
    </Page>
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
