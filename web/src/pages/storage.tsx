// Disk and retention: what takes room, how long it is kept, and whether it is well.
import { useMemo, useState } from "preact/hooks";

import { logs, ownText, pages } from "../api/client";
import { href } from "../app/router";
import { account, region } from "../app/settings";
import { refreshTick } from "../app/time";
import { Badge, Card, Command, Dialog, Field, formatBytes, formatNumber, Page, Problem, Stat } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import type { LogGroup } from "./group_picker";

const days = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

// What the server says of its own disk, by the name of the metric.
const parts: [string, string][] = [
  ["fogwatch_log_disk_bytes", "Log segments"],
  ["fogwatch_metric_disk_bytes", "Metrics"],
  ["fogwatch_trace_disk_bytes", "Traces"],
  ["fogwatch_wal_disk_bytes", "Write-ahead log"],
  ["fogwatch_subscription_waiting_bytes", "Waiting for destinations"],
];
const ills: [string, string][] = [
  ["fogwatch_wal_damaged_bytes", "bytes of the write-ahead log passed over"],
  ["fogwatch_log_damaged_blocks", "log blocks that failed their check"],
  ["fogwatch_log_damaged_files", "log files that could not be read"],
  ["fogwatch_log_events_lost", "log events lost to damage"],
  ["fogwatch_log_seal_failures_total", "segments that the disk refused"],
  ["fogwatch_metric_chunks_damaged", "metric chunks that failed their check"],
  ["fogwatch_disk_faults_total", "times the disk refused"],
  ["fogwatch_disk_budget_exceeded", "budget that cannot be kept: nothing is left that may go"],
  ["fogwatch_disk_budget_drops_total", "ranges of time deleted to keep the budget"],
];

type Figures = Map<string, number>;
async function figures(): Promise<Figures> {
  const lines = (await ownText("/metrics")).split("\n").filter((l) => l.startsWith("fogwatch_"));
  return new Map(lines.map((l) => [l.slice(0, l.lastIndexOf(" ")), Number(l.slice(l.lastIndexOf(" ") + 1))]));
}

export default function Storage() {
  const own = useLoad(figures, [refreshTick.value]);
  const health = useLoad(async () => JSON.parse(await ownText("/health/detailed")) as { checks?: Record<string, { status: string; problem?: string }> }, [refreshTick.value]);
  const groups = useLoad(
    (s) => pages<LogGroup>(async (token) => {
      const page = await logs<{ logGroups?: LogGroup[]; nextToken?: string }>("DescribeLogGroups", { limit: 50, nextToken: token }, s);
      return { items: page.logGroups ?? [], next: page.nextToken };
    }),
    [refreshTick.value, region.value, account.value],
  );
  const [changing, setChanging] = useState<LogGroup>();
  const at = (name: string) => own.value?.get(name);
  const shown = useMemo(() => parts.filter(([name]) => own.value?.has(name)).map(([name, title]) => ({ title, bytes: own.value!.get(name)! })), [own.value]);
  const used = at("fogwatch_disk_used_bytes") ?? shown.reduce((n, p) => n + p.bytes, 0);
  const limit = at("fogwatch_disk_budget_bytes");
  const free = at("fogwatch_disk_free_bytes");
  const wrong = ills.filter(([name]) => (at(name) ?? 0) > 0);
  const failing = Object.entries(health.value?.checks ?? {}).filter(([, c]) => c.status !== "ok");
  const largest = Math.max(...shown.map((p) => p.bytes), 1);
  const columns: Column<LogGroup>[] = [
    { id: "name", title: "Log group", value: (g) => g.logGroupName, cell: (g) => <a href={href(["logs", "groups", g.logGroupName])}>{g.logGroupName}</a> },
    { id: "size", title: "Stored", numeric: true, value: (g) => g.storedBytes ?? 0, cell: (g) => formatBytes(g.storedBytes ?? 0) },
    { id: "retention", title: "Kept", numeric: true, value: (g) => g.retentionInDays ?? 1e9, cell: (g) => <button class="link" onClick={() => setChanging(g)} aria-label={`Retention of ${g.logGroupName}`}>{g.retentionInDays ? `${g.retentionInDays} days` : "for ever"}</button> },
  ];
  return (
    <Page title="Disk and retention">
      {own.error && <Problem error={own.error} />}
      <div class="stats">
        <Stat label="Used" value={formatBytes(used)} note={limit ? `of ${formatBytes(limit)}: the oldest goes first` : "no budget is set (--max-bytes)"} {...(limit && used > 0.9 * limit ? { tone: "warn" as const } : {})} />
        {free !== undefined && <Stat label="Free on the disk" value={formatBytes(free)} />}
        <Stat label="Log events in memory" value={formatNumber(at("fogwatch_log_head_events") ?? 0)} note="in the write-ahead log, not yet in a segment" />
        <Stat label="State" value={failing.length + wrong.length === 0 ? "well" : "look below"} tone={failing.length + wrong.length === 0 ? "ok" : "bad"} />
      </div>
      {failing.map(([name, c]) => <div class="problem" role="alert"><strong>{name}</strong> {c.problem}</div>)}
      {wrong.length > 0 && <div class="problem" role="alert">{wrong.map(([name, text]) => <p>{formatNumber(at(name)!)} {text}</p>)}</div>}
      <div class="grid">
        <Card title="What takes the room">
          <ul class="plain hbars">
            {shown.map((p) => (
              <li>{p.title} <small>{formatBytes(p.bytes)}</small><i style={{ width: `${(p.bytes / largest) * 100}%`, background: "var(--accent)" }} /></li>
            ))}
          </ul>
        </Card>
        <Card title="How long things are kept">
          <table class="event">
            <tbody>
              <tr><th scope="row">Log events</th><td>as long as their group says, below</td></tr>
              <tr><th scope="row">Metrics by the second</th><td>3 hours, then by the minute</td></tr>
              <tr><th scope="row">Metrics by the minute</th><td>15 days, then by 5 minutes</td></tr>
              <tr><th scope="row">Metrics by 5 minutes</th><td>63 days, then by the hour</td></tr>
              <tr><th scope="row">Metrics by the hour</th><td>455 days</td></tr>
              <tr><th scope="row">Traces</th><td>30 days</td></tr>
            </tbody>
          </table>
        </Card>
        <Card title="Copies">
          <p class="soft">A copy of everything, while the server runs; and the folder's own check. The runbook says more.</p>
          <Command text={"fogwatch backup DATA-FOLDER backup.tar\nfogwatch restore backup.tar NEW-FOLDER\nfogwatch check DATA-FOLDER"} />
        </Card>
      </div>
      {groups.error && <Problem error={groups.error} />}
      <ListTable name="storage" label="Log groups by size" columns={columns} rows={groups.value ?? []} rowKey={(g) => g.logGroupName} sort={{ by: "size", down: true }} cli="logs describe-log-groups" extra={<Badge tone="info">{formatBytes((groups.value ?? []).reduce((n, g) => n + (g.storedBytes ?? 0), 0))} in {region.value}</Badge>} />
      {changing && <Retention group={changing} onClose={() => setChanging(undefined)} onSaved={() => { setChanging(undefined); groups.reload(); }} />}
    </Page>
  );
}

function Retention({ group, onClose, onSaved }: { group: LogGroup; onClose: () => void; onSaved: () => void }) {
  const [value, setValue] = useState(String(group.retentionInDays ?? ""));
  const save = () => (value ? logs("PutRetentionPolicy", { logGroupName: group.logGroupName, retentionInDays: Number(value) }) : logs("DeleteRetentionPolicy", { logGroupName: group.logGroupName }));
  return (
    <Dialog title="Retention" onClose={onClose}>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void attempt("Retention changed", save).then((ok) => ok && onSaved()); }}>
        <p>{group.logGroupName}</p>
        <Field label="Events are kept" hint="Older ones go at the next round, and do not come back.">
          <select value={value} onChange={(e) => setValue(e.currentTarget.value)}>
            <option value="">for ever</option>
            {days.map((d) => <option value={d}>{d} days</option>)}
          </select>
        </Field>
        <div class="row run-row"><button class="primary" type="submit">Save</button></div>
      </form>
    </Dialog>
  );
}
