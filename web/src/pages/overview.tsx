// Overview: is it well, and if not, why. Golden signals against their thresholds, alarms, slow
// services, the last failed calls.
import { useMemo, useState } from "preact/hooks";

import { allAlarms } from "../api/alarms";
import { control, logs, ownText, pages, xray } from "../api/client";
import { href } from "../app/router";
import { account, region, stored } from "../app/settings";
import { ago, formatDuration, periodFor, range, refreshTick } from "../app/time";
import { Badge, Card, cli, Command, Dialog, Field, formatBytes, formatNumber, Page, Problem, Stat, stateTone, type Tone } from "../ui/basic";
import { Chart, type Line, type Series } from "../ui/chart";
import { useLoad } from "../ui/load";
import { readMetrics } from "./metric_data";

interface Statistics {
  TotalCount?: number;
  TotalResponseTime?: number;
  ErrorStatistics?: { TotalCount?: number };
  FaultStatistics?: { TotalCount?: number };
}
interface ServiceNode {
  Name?: string;
  Type?: string;
  SummaryStatistics?: Statistics;
}
interface TimeSlot {
  Timestamp: number;
  EdgeSummaryStatistics?: Statistics;
  ResponseTimeHistogram?: { Value: number; Count: number }[];
}
export interface RequestRow {
  request_id?: string;
  time: string;
  service: string;
  operation: string;
  protocol?: string;
  client?: string;
  user_agent?: string;
  account?: string;
  region?: string;
  status: number;
  took_ms?: number;
  bytes_in?: number;
  bytes_out?: number;
  error?: string;
}
interface Health {
  uptime_seconds?: number;
  memory_bytes?: number;
  requests?: number;
  mean_ms?: number;
}

// Where green ends and where red begins; the reader's own, kept in this browser.
const limits = stored<string>("limits", "");
const standard = { latency: [1000, 3000], errors: [1, 5], saturation: [70, 90] };
type Signal = keyof typeof standard;
function limitsNow(): Record<Signal, number[]> {
  try {
    return { ...standard, ...(JSON.parse(limits.value || "{}") as Partial<typeof standard>) };
  } catch {
    return standard;
  }
}
const toneOf = (value: number | undefined, [amber, red]: number[]): Tone | undefined => (value === undefined ? undefined : value >= red! ? "bad" : value >= amber! ? "warn" : "ok");

// The value that a share of the counted values does not exceed, of all slots together.
function percentile(slots: TimeSlot[], share: number): number | undefined {
  const bins = slots.flatMap((s) => s.ResponseTimeHistogram ?? []).sort((a, b) => a.Value - b.Value);
  let left = bins.reduce((n, b) => n + b.Count, 0) * share;
  for (const bin of bins) if ((left -= bin.Count) <= 0) return bin.Value * 1000;
  return undefined;
}

const lines = (bounds: number[], unit: string): Line[] => [
  { value: bounds[0]!, label: `${bounds[0]} ${unit}`, color: "#b7791f", soft: true },
  { value: bounds[1]!, label: `${bounds[1]} ${unit}`, soft: true },
];

export default function Overview() {
  const again = [range.value, refreshTick.value, region.value, account.value];
  const { from, to } = range.value;
  const [editing, setEditing] = useState(false);
  const bounds = limitsNow();
  const period = Math.max(60, periodFor(range.value, 120));
  const alarms = useLoad(allAlarms, again);
  const slots = useLoad(
    (s) => pages<TimeSlot>(async (token) => {
      const page = await xray<{ TimeSeriesServiceStatistics?: TimeSlot[]; NextToken?: string }>("TimeSeriesServiceStatistics", { StartTime: Math.max(from, to - 864e5) / 1000, EndTime: to / 1000, Period: period >= 300 ? 300 : 60, NextToken: token }, s);
      return { items: page.TimeSeriesServiceStatistics ?? [], next: page.NextToken };
    }),
    again,
  );
  const groups = useLoad((s) => logs<{ logGroups?: { logGroupName: string; storedBytes?: number }[] }>("DescribeLogGroups", { limit: 50 }, s), again);
  const map = useLoad((s) => xray<{ Services?: ServiceNode[] }>("ServiceGraph", { StartTime: Math.max(from, to - 6 * 36e5) / 1000, EndTime: to / 1000 }, s), again);
  const load = useLoad((s) => readMetrics([{ id: "s", expression: `SEARCH('Utilization OR percent', 'Average', ${period})` }], range.value, s), again);
  const requests = useLoad(() => control<{ requests: RequestRow[] }>("GET", "requests?limit=1000"), again);
  const own = useLoad(async () => JSON.parse(await ownText("/health/detailed")) as Health, again);

  const inAlarm = alarms.value?.filter((a) => a.StateValue === "ALARM") ?? [];
  const services = (map.value?.Services ?? []).filter((s) => s.Type !== "client" && s.SummaryStatistics?.TotalCount);
  const failed = (requests.value?.requests ?? []).filter((r) => r.status >= 400 && r.service);

  const signals = useMemo(() => {
    const all = slots.value ?? [];
    const times = all.map((s) => s.Timestamp * 1000);
    const count = (s: TimeSlot) => s.EdgeSummaryStatistics?.TotalCount ?? 0;
    const rate = (s: TimeSlot, n: number | undefined) => (count(s) ? (100 * (n ?? 0)) / count(s) : null);
    const total = all.reduce((n, s) => n + count(s), 0);
    const faults = all.reduce((n, s) => n + (s.EdgeSummaryStatistics?.FaultStatistics?.TotalCount ?? 0), 0);
    const minutes = all.length > 1 ? (all.at(-1)!.Timestamp - all[0]!.Timestamp) / 60 + (period >= 300 ? 5 : 1) : 1;
    const line = (label: string, value: (s: TimeSlot) => number | null, color?: string): Series => ({ label, times, values: all.map(value), ...(color ? { color } : {}) });
    return {
      total,
      faults,
      perMinute: total / minutes,
      p99: percentile(all, 0.99),
      faultShare: total ? (100 * faults) / total : undefined,
      traffic: [line("requests", count)],
      latency: [line("p99", (s) => percentile([s], 0.99) ?? null), line("average", (s) => (count(s) ? ((s.EdgeSummaryStatistics?.TotalResponseTime ?? 0) / count(s)) * 1000 : null))],
      errors: [line("faults 5xx", (s) => rate(s, s.EdgeSummaryStatistics?.FaultStatistics?.TotalCount), "#c0392b"), line("errors 4xx", (s) => rate(s, s.EdgeSummaryStatistics?.ErrorStatistics?.TotalCount), "#b7791f")],
    };
  }, [slots.value]);
  const saturation = useMemo(() => (load.value?.series ?? []).slice(0, 8), [load.value]);
  const busiest = saturation.length ? Math.max(...saturation.map((s) => s.values.findLast((v) => v !== null) ?? 0)) : undefined;
  const marks = useMemo(() => ({ latency: lines(bounds.latency, "ms"), errors: lines(bounds.errors, "%"), saturation: lines(bounds.saturation, "%") }), [limits.value]);
  const golden: { title: string; value: string; note: string; tone: Tone | undefined; link: string; series: Series[]; lines?: Line[]; kind?: "bars"; unit?: string }[] = [
    { title: "Traffic", value: slots.value ? formatNumber(Math.round(signals.perMinute * 10) / 10) + " / min" : "…", note: `${formatNumber(signals.total)} requests traced`, tone: undefined, link: href(["map"]), series: signals.traffic, kind: "bars" },
    { title: "Latency", value: signals.p99 === undefined ? "–" : formatDuration(signals.p99), note: "p99 of all services' requests", tone: toneOf(signals.p99, bounds.latency), link: href(["traces"], { sort: "duration" }), series: signals.latency, lines: marks.latency, unit: "ms" },
    { title: "Errors", value: signals.faultShare === undefined ? "–" : signals.faultShare.toFixed(2) + " %", note: `${formatNumber(signals.faults)} faults`, tone: toneOf(signals.faultShare, bounds.errors), link: href(["traces"], { filter: "fault = true" }), series: signals.errors, lines: marks.errors, unit: "%" },
    { title: "Saturation", value: busiest === undefined ? "–" : formatNumber(Math.round(busiest * 10) / 10) + " %", note: busiest === undefined ? "no utilisation metric" : "the busiest resource now", tone: toneOf(busiest, bounds.saturation), link: href(["metrics"], { rows: JSON.stringify([{ id: "e1", expression: "SEARCH('Utilization OR percent', 'Average', 60)" }]) }), series: saturation, lines: marks.saturation, unit: "%" },
  ];
  return (
    <Page title="Overview" actions={<button onClick={() => setEditing(true)}>Thresholds</button>}>
      <div class="golden">
        {golden.map((g) => (
          <section class={"card signal " + (g.tone ?? "")} aria-label={g.title}>
            <header>
              <h2><a href={g.link}>{g.title}</a></h2>
              {g.tone && <Badge tone={g.tone}>{{ ok: "well", warn: "look", bad: "bad", idle: "", info: "" }[g.tone]}</Badge>}
            </header>
            <p class="row"><span class={"stat-value " + (g.tone ?? "")}>{g.value}</span> <small>{g.note}</small></p>
            {g.series.some((s) => s.times.length) ? <Chart label={g.title} series={g.series} from={from} to={to} height={128} lines={g.lines ?? []} kind={g.kind ?? "line"} unit={g.unit} small /> : <p class="none">Nothing in this time.</p>}
          </section>
        ))}
      </div>
      <div class="stats">
        <Stat label="Alarms in ALARM" value={alarms.value ? inAlarm.length : "…"} tone={inAlarm.length ? "bad" : "ok"} href={href(["alarms"])} note={`${alarms.value?.length ?? 0} alarms in all`} />
        <Stat label="Services" value={map.value ? services.length : "…"} href={href(["map"])} note="seen in traces" />
        <Stat label="Log groups" value={groups.value?.logGroups?.length ?? "…"} href={href(["logs", "groups"])} note={formatBytes((groups.value?.logGroups ?? []).reduce((n, g) => n + (g.storedBytes ?? 0), 0)) + " stored"} />
        <Stat label="Failed API calls" value={requests.value ? failed.length : "…"} tone={failed.length ? "warn" : "ok"} href={href(["requests"], { only: "errors" })} note="of the last 1000" />
        <Stat label="This server" value={own.error ? "down" : own.value ? "up " + formatDuration((own.value.uptime_seconds ?? 0) * 1000) : "…"} tone={own.error ? "bad" : undefined} href={href(["settings"])} note={own.value ? `${formatBytes(own.value.memory_bytes ?? 0)}, ${formatNumber(own.value.requests ?? 0)} requests` : ""} />
      </div>
      {[alarms, slots, map].map((l) => l.error && <Problem error={l.error} />)}
      <div class="grid">
        <Card title="Alarms that want you" actions={<a href={href(["alarms"])}>All alarms</a>}>
          {inAlarm.length === 0 && <p class="none">No alarm is in ALARM.</p>}
          <ul class="plain">
            {inAlarm.slice(0, 6).map((a) => (
              <li>
                <Badge tone={stateTone(a.StateValue)}>{a.StateValue}</Badge> <a href={href(["alarms", a.AlarmName])}>{a.AlarmName}</a>{" "}
                <small>{ago((a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp ?? 0) * 1000)}</small>
                <p class="soft clamp">{a.StateReason}</p>
              </li>
            ))}
          </ul>
        </Card>
        <Card title="Slowest services" actions={<a href={href(["map"])}>Service map</a>}>
          {services.length === 0 && <p class="none">No traces in this time.</p>}
          <ul class="plain">
            {[...services]
              .map((s) => ({ s, ms: ((s.SummaryStatistics!.TotalResponseTime ?? 0) / s.SummaryStatistics!.TotalCount!) * 1000 }))
              .sort((a, b) => b.ms - a.ms)
              .slice(0, 8)
              .map(({ s, ms }) => (
                <li class="row">
                  <a class="grow" href={href(["traces"], { filter: `service("${s.Name}")` })}>{s.Name}</a>
                  {!!s.SummaryStatistics!.FaultStatistics?.TotalCount && <Badge tone="bad">{s.SummaryStatistics!.FaultStatistics.TotalCount} faults</Badge>}
                  <small>{formatNumber(s.SummaryStatistics!.TotalCount!)} requests</small>
                  <b class="num">{formatDuration(ms)}</b>
                </li>
              ))}
          </ul>
        </Card>
        <Card title="Failed API calls" actions={<a href={href(["requests"], { only: "errors" })}>All failed calls</a>}>
          {failed.length === 0 && <p class="none">None of the last 1000 calls failed.</p>}
          <ul class="plain">
            {failed.slice(0, 8).map((r) => (
              <li class="row">
                <Badge tone={r.status >= 500 ? "bad" : "warn"}>{r.status}</Badge>
                <span class="grow">{r.service} {r.operation}</span>
                <small>{r.error}</small>
              </li>
            ))}
          </ul>
        </Card>
        <Card title="The same elsewhere">
          <p class="soft">Any AWS client sees what this page shows:</p>
          <Command text={cli("cloudwatch describe-alarms --state-value ALARM")} />
        </Card>
      </div>
      {editing && <Limits onClose={() => setEditing(false)} />}
    </Page>
  );
}

function Limits({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState(limitsNow());
  const names: [Signal, string][] = [["latency", "p99 latency, ms"], ["errors", "Faults, %"], ["saturation", "Utilisation, %"]];
  const set = (key: Signal, i: number, text: string) => setForm({ ...form, [key]: form[key].map((v, j) => (j === i ? Number(text) : v)) });
  return (
    <Dialog title="Thresholds" onClose={onClose}>
      <form class="form" onSubmit={(e) => { e.preventDefault(); limits.value = JSON.stringify(form); onClose(); }}>
        {names.flatMap(([key, title]) => [
          <Field label={`${title}: amber from`}><input type="number" step="any" min="0" required value={form[key][0]} onInput={(e) => set(key, 0, e.currentTarget.value)} /></Field>,
          <Field label={`${title}: red from`}><input type="number" step="any" min="0" required value={form[key][1]} onInput={(e) => set(key, 1, e.currentTarget.value)} /></Field>,
        ])}
        <button class="primary">Keep</button>
        <button type="button" onClick={() => { limits.value = ""; onClose(); }}>Defaults</button>
      </form>
    </Dialog>
  );
}
