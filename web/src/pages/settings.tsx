// Settings and health: how the server is, test time, reset.
import { useState } from "preact/hooks";

import { control, logs, ownText, pages } from "../api/client";
import { href } from "../app/router";
import { formatDuration, formatTime, instant, refreshTick, serverNow } from "../app/time";
import { sure } from "../ui/ask";
import { Card, Field, Page, Problem, Stat, formatBytes, formatNumber } from "../ui/basic";
import { useLoad } from "../ui/load";
import { Table, type Column } from "../ui/table";
import { attempt, failed } from "../ui/toast";
import type { LogGroup } from "./group_picker";

interface Clock {
  now: string;
  offset_ms: number;
  rate: number;
}

// Every leaf of the health document as "path: value".
function leaves(value: unknown, path = ""): [string, string][] {
  if (value === null || typeof value !== "object") return [[path, typeof value === "number" ? formatNumber(value) : String(value)]];
  return Object.entries(value).flatMap(([k, v]) => leaves(v, path ? `${path} ${k}` : k));
}

const groupColumns: Column<LogGroup>[] = [
  { id: "name", title: "Log group", value: (g) => g.logGroupName, cell: (g) => <a href={href(["logs", "groups", g.logGroupName])}>{g.logGroupName}</a> },
  { id: "size", title: "Stored", numeric: true, value: (g) => g.storedBytes ?? 0, cell: (g) => formatBytes(g.storedBytes ?? 0) },
  { id: "retention", title: "Retention", value: (g) => g.retentionInDays ?? Infinity, cell: (g) => (g.retentionInDays ? g.retentionInDays + " days" : "never") },
];

interface OwnMetric {
  name: string;
  value: number;
}
const metricColumns: Column<OwnMetric>[] = [
  { id: "value", title: "Value", numeric: true, value: (m) => m.value, cell: (m) => formatNumber(m.value) },
  { id: "name", title: "Metric", value: (m) => m.name, cell: (m) => <code>{m.name}</code> },
];

// The lines of the Prometheus text that are not comments.
async function ownMetrics(): Promise<OwnMetric[]> {
  const text = await ownText("/metrics");
  return text.split("\n").filter((l) => l && !l.startsWith("#")).map((l) => ({ name: l.slice(0, l.lastIndexOf(" ")), value: Number(l.slice(l.lastIndexOf(" ") + 1)) }));
}

export default function Settings() {
  const health = useLoad(async () => JSON.parse(await ownText("/health/detailed")) as Record<string, unknown>, [refreshTick.value]);
  const clock = useLoad(() => control<Clock>("GET", "clock"), [refreshTick.value]);
  const groups = useLoad(
    (s) => pages<LogGroup>(async (token) => {
      const page = await logs<{ logGroups?: LogGroup[]; nextToken?: string }>("DescribeLogGroups", { limit: 50, nextToken: token }, s);
      return { items: page.logGroups ?? [], next: page.nextToken };
    }),
    [refreshTick.value],
  );
  const own = useLoad(ownMetrics, [refreshTick.value]);
  const [seconds, setSeconds] = useState("300");
  const [at, setAt] = useState("");
  const change = async (title: string, act: () => Promise<unknown>) => {
    if (await attempt(title, act)) {
      clock.reload();
      refreshTick.value++;
    }
  };
  const uptime = Number(health.value?.["uptime_seconds"] ?? 0);
  const memory = Number(health.value?.["memory_bytes"] ?? 0);
  return (
    <Page title="Settings and health">
      <div class="stats">
        <Stat label="Status" value={health.value ? String(health.value["status"] ?? "serving") : health.error ? "down" : "…"} tone={health.error ? "bad" : "ok"} />
        <Stat label="Up for" value={formatDuration(uptime * 1000)} />
        <Stat label="Memory" value={formatBytes(memory)} />
        <Stat label="Server time" value={formatTime(serverNow(), false)} note={clock.value ? (clock.value.rate === 0 ? "frozen" : clock.value.offset_ms ? `moved by ${formatDuration(Math.abs(clock.value.offset_ms))}` : "real time") : ""} />
      </div>
      <div class="grid">
        <Card title="Test time">
          <p class="soft">Alarms, retention and retries follow this clock. Advancing runs everything that falls due on the way.</p>
          {clock.error && <Problem error={clock.error} />}
          <div class="form">
            <Field label="Advance by seconds"><input type="number" min="1" value={seconds} onInput={(e) => setSeconds(e.currentTarget.value)} /></Field>
            <button onClick={() => void change("Clock advanced", () => control("POST", "clock/advance", { seconds: Number(seconds) }))}>Advance</button>
            <Field label="Set to"><input placeholder="2026-01-01T00:00:00Z" value={at} onInput={(e) => setAt(e.currentTarget.value)} /></Field>
            <button
              onClick={() => {
                const ms = instant(at, serverNow());
                if (ms === undefined) failed(new Error("Write an instant, such as 2026-01-01T00:00:00Z."));
                else void change("Clock set", () => control("PUT", "clock", { now: new Date(ms).toISOString() }));
              }}
            >
              Set
            </button>
          </div>
          <div class="row run-row">
            <button onClick={() => void change("Clock frozen", () => control("PUT", "clock", { rate: 0 }))}>Freeze</button>
            <button onClick={() => void change("Clock runs", () => control("PUT", "clock", { rate: 1 }))}>Run</button>
            <button onClick={() => void change("Back to real time", () => control("DELETE", "clock"))}>Real time</button>
          </div>
        </Card>
        <Card title="Reset">
          <p class="soft">Deletes all data, resources, history, queries and the outbox. Settings and the signing key stay.</p>
          <button class="danger" onClick={() => void sure("Delete everything that this server has stored?").then((yes) => (yes ? change("Everything is deleted", () => control("POST", "reset", {})) : undefined))}>Reset everything</button>
        </Card>
        <Card title="Storage by log group" actions={<a href={href(["logs", "groups"])}>Retention</a>}>
          {groups.error && <Problem error={groups.error} />}
          <Table label="Storage" columns={groupColumns} rows={groups.value ?? []} rowKey={(g) => g.logGroupName} sort={{ by: "size", down: true }} height={260} />
        </Card>
        <Card title="Own metrics" actions={<a href="/metrics">Prometheus text</a>}>
          <Table label="Own metrics" columns={metricColumns} rows={own.value ?? []} rowKey={(m) => m.name} height={260} />
        </Card>
        <Card title="Health in detail" class="wide">
          {health.error && <Problem error={health.error} />}
          <table>
            <tbody>
              {leaves(health.value ?? {}).map(([k, v]) => (
                <tr><th scope="row">{k}</th><td class="num">{v}</td></tr>
              ))}
            </tbody>
          </table>
        </Card>
      </div>
    </Page>
  );
}
