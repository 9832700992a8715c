// Overview: is it well, and if not, why. Golden signals, alarms, slow services, last failed calls.
import { cloudwatch, control, logs, xray } from "../api/client";
import { href } from "../app/router";
import { account, region } from "../app/settings";
import { ago, formatDuration, range, refreshTick } from "../app/time";
import { Badge, Card, cli, Command, formatBytes, formatNumber, Page, Problem, Stat, stateTone, type Tone } from "../ui/basic";
import { useLoad } from "../ui/load";

interface Alarm {
  AlarmName: string;
  StateValue: string;
  StateReason?: string;
  StateTransitionedTimestamp?: number;
  StateUpdatedTimestamp?: number;
}
interface ServiceNode {
  Name?: string;
  Type?: string;
  SummaryStatistics?: {
    TotalCount?: number;
    TotalResponseTime?: number;
    ErrorStatistics?: { TotalCount?: number };
    FaultStatistics?: { TotalCount?: number };
  };
}
export interface RequestRow {
  id?: string;
  time: string | number;
  service: string;
  operation: string;
  client?: string;
  status: number;
  duration_ms?: number;
  error?: string;
}
interface Health {
  uptime_seconds?: number;
  memory_bytes?: number;
  requests?: { total?: number; errors?: number };
  [key: string]: unknown;
}

async function health(): Promise<Health> {
  return (await (await fetch("/health/detailed")).json()) as Health;
}

export default function Overview() {
  const again = [range.value, refreshTick.value, region.value, account.value];
  const alarms = useLoad(async (s) => {
    const all = await cloudwatch<{ MetricAlarms?: Alarm[]; CompositeAlarms?: Alarm[] }>("DescribeAlarms", { MaxRecords: 100, AlarmTypes: ["MetricAlarm", "CompositeAlarm"] }, s);
    return [...(all.MetricAlarms ?? []), ...(all.CompositeAlarms ?? [])];
  }, again);
  const groups = useLoad((s) => logs<{ logGroups?: { logGroupName: string; storedBytes?: number }[] }>("DescribeLogGroups", { limit: 50 }, s), again);
  const map = useLoad((s) => xray<{ Services?: ServiceNode[] }>("ServiceGraph", { StartTime: Math.max(range.value.from, range.value.to - 6 * 36e5) / 1000, EndTime: range.value.to / 1000 }, s), again);
  const requests = useLoad(() => control<{ requests: RequestRow[] }>("GET", "requests?limit=100"), again);
  const own = useLoad(health, again);

  const inAlarm = alarms.value?.filter((a) => a.StateValue === "ALARM") ?? [];
  const services = (map.value?.Services ?? []).filter((s) => s.Type !== "client" && s.SummaryStatistics?.TotalCount);
  const sum = (pick: (s: ServiceNode) => number | undefined) => services.reduce((total, s) => total + (pick(s) ?? 0), 0);
  const total = sum((s) => s.SummaryStatistics?.TotalCount);
  const faults = sum((s) => s.SummaryStatistics?.FaultStatistics?.TotalCount);
  const faultRate = total ? faults / total : 0;
  const average = total ? (sum((s) => s.SummaryStatistics?.TotalResponseTime) / total) * 1000 : undefined;
  const failed = (requests.value?.requests ?? []).filter((r) => r.status >= 400);
  const share: Tone = faultRate > 0.05 ? "bad" : faultRate > 0.01 ? "warn" : "ok";
  return (
    <Page title="Overview">
      <div class="stats">
        <Stat label="Alarms in ALARM" value={alarms.value ? inAlarm.length : "…"} tone={inAlarm.length ? "bad" : "ok"} href={href(["alarms"])} note={`${alarms.value?.length ?? 0} alarms in all`} />
        <Stat label="Requests traced" value={map.value ? formatNumber(total) : "…"} href={href(["map"])} note="over all services" />
        <Stat label="Fault rate" value={map.value ? (faultRate * 100).toFixed(2) + " %" : "…"} tone={total ? share : undefined} href={href(["traces"], { filter: "fault = true" })} note={`${formatNumber(faults)} faults`} />
        <Stat label="Average latency" value={average === undefined ? "–" : formatDuration(average)} href={href(["traces"])} />
        <Stat label="Log groups" value={groups.value?.logGroups?.length ?? "…"} href={href(["logs", "groups"])} note={formatBytes((groups.value?.logGroups ?? []).reduce((n, g) => n + (g.storedBytes ?? 0), 0)) + " stored"} />
        <Stat label="Failed API calls" value={requests.value ? failed.length : "…"} tone={failed.length ? "warn" : "ok"} href={href(["requests"], { only: "errors" })} note="of the last 100" />
      </div>
      {alarms.error && <Problem error={alarms.error} />}
      <div class="grid">
        <Card title="Alarms that want you" actions={<a href={href(["alarms"])}>All alarms</a>}>
          {inAlarm.length === 0 && <p class="none">No alarm is in ALARM.</p>}
          <ul class="plain">
            {inAlarm.slice(0, 8).map((a) => (
              <li>
                <Badge tone={stateTone(a.StateValue)}>{a.StateValue}</Badge> <a href={href(["alarms", a.AlarmName])}>{a.AlarmName}</a>{" "}
                <small>{ago((a.StateTransitionedTimestamp ?? a.StateUpdatedTimestamp ?? 0) * 1000)}</small>
                <p class="soft">{a.StateReason}</p>
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
                  <span>{formatNumber(s.SummaryStatistics!.TotalCount!)} requests</span>
                  <b>{formatDuration(ms)}</b>
                  {!!s.SummaryStatistics!.FaultStatistics?.TotalCount && <Badge tone="bad">{s.SummaryStatistics!.FaultStatistics.TotalCount} faults</Badge>}
                </li>
              ))}
          </ul>
        </Card>
        <Card title="Failed API calls" actions={<a href={href(["requests"])}>All requests</a>}>
          {failed.length === 0 && <p class="none">None of the last 100 calls failed.</p>}
          <ul class="plain">
            {failed.slice(0, 8).map((r) => (
              <li class="row">
                <Badge tone={r.status >= 500 ? "bad" : "warn"}>{r.status}</Badge>
                <span class="grow">{r.service} {r.operation}</span>
                <span>{r.error}</span>
              </li>
            ))}
          </ul>
        </Card>
        <Card title="This server" actions={<a href={href(["settings"])}>Settings and health</a>}>
          {own.value && (
            <p>
              Up for {formatDuration((own.value.uptime_seconds ?? 0) * 1000)}, {formatBytes(own.value.memory_bytes ?? 0)} of memory.
            </p>
          )}
          <p class="soft">Any AWS client sees the same data:</p>
          <Command text={cli("cloudwatch describe-alarms --state-value ALARM")} />
        </Card>
      </div>
    </Page>
  );
}
