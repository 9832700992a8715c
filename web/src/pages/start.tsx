// Get started: point a client here; the light turns green when its first request arrives.
import { useState } from "preact/hooks";

import { cloudwatch, control, logs, xray } from "../api/client";
import { param, setParams, href } from "../app/router";
import { region } from "../app/settings";
import { refreshTick, serverNow } from "../app/time";
import { Badge, Card, Command, endpoint, Page } from "../ui/basic";
import { useLoad } from "../ui/load";
import { attempt } from "../ui/toast";
import type { RequestRow } from "./overview";
import { snippets } from "./snippets";
import { useEffect } from "preact/hooks";

export default function Start() {
  const at = param("client", "AWS CLI").value;
  const snippet = snippets.find((s) => s.name === at) ?? snippets[0]!;
  const [busy, setBusy] = useState(false);
  const seen = useLoad(async () => (await control<{ requests: RequestRow[] }>("GET", "requests?limit=1000")).requests, [refreshTick.value]);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && seen.reload(), 2000);
    return () => clearInterval(timer);
  }, []);
  const arrived = (s: (typeof snippets)[number]) => (seen.value ?? []).some((r) => !/mozilla/i.test(r.client ?? "") && ((s.seen.agent?.test(r.client ?? "") ?? false) || (s.seen.service?.test(r.service) ?? false)));
  const load = async () => {
    setBusy(true);
    await attempt("Sample data loaded", sampleData);
    setBusy(false);
  };
  return (
    <Page title="Get started" actions={<button class="primary" disabled={busy} onClick={() => void load()}>Load sample data</button>}>
      <Card>
        <p>
          Point any AWS SDK, CLI or agent at <code>{endpoint()}</code>. Any access key and secret do; a key of 12 digits chooses the account.
        </p>
        <Command text={`export AWS_ENDPOINT_URL=${endpoint()} AWS_DEFAULT_REGION=${region.value} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test`} />
      </Card>
      <div class="grid two">
        <Card title="Clients">
          <ul class="plain">
            {snippets.map((s) => (
              <li>
                <button class={"pick " + (s === snippet ? "on" : "")} aria-pressed={s === snippet} onClick={() => setParams({ client: s.name }, true)}>
                  <i class={"light " + (arrived(s) ? "green" : "")} role="img" aria-label={arrived(s) ? "a request has arrived" : "waiting"} /> {s.name}
                </button>
              </li>
            ))}
          </ul>
        </Card>
        <Card title={snippet.name} actions={arrived(snippet) ? <Badge tone="ok">Data has arrived</Badge> : <Badge tone="idle">Waiting for first data</Badge>}>
          <Command text={snippet.code(endpoint(), region.value)} />
          {snippet.note && <p class="soft">{snippet.note}</p>}
          <p class="soft">
            Then look at <a href={href(["metrics"])}>metrics</a>, <a href={href(["logs", "insights"])}>logs</a>, <a href={href(["traces"])}>traces</a>.
          </p>
        </Card>
      </div>
    </Page>
  );
}

const hex = (n: number) => Array.from(crypto.getRandomValues(new Uint8Array(n / 2)), (b) => b.toString(16).padStart(2, "0")).join("");

// An hour of a small shop: log lines, two metrics, traces over three services, one alarm.
async function sampleData(): Promise<void> {
  const now = serverNow();
  const group = "/sample/shop";
  const exists = (e: { code?: string }) => {
    if (e.code !== "ResourceAlreadyExistsException") throw e;
  };
  await logs("CreateLogGroup", { logGroupName: group }).catch(exists);
  await logs("CreateLogStream", { logGroupName: group, logStreamName: "web-1" }).catch(exists);
  const paths = ["/cart", "/checkout", "/search", "/item"];
  const events: { timestamp: number; message: string }[] = [];
  const datums: Record<string, unknown>[] = [];
  const documents: string[] = [];
  for (let minute = 60; minute > 0; minute--) {
    const slow = minute < 12 ? 4 : 1;
    const latencies: number[] = [];
    for (let i = 0; i < 8; i++) {
      const t = now - minute * 60_000 + i * 7000;
      const path = paths[(minute + i) % 4]!;
      const latency = Math.round(20 + Math.random() * 80 * slow + (path === "/checkout" ? 60 : 0));
      const failed = Math.random() < 0.03 * slow;
      const traceId = `1-${Math.floor(t / 1000).toString(16)}-${hex(24)}`;
      latencies.push(latency);
      events.push({ timestamp: t, message: JSON.stringify({ level: failed ? "ERROR" : "INFO", path, latency_ms: latency, status: failed ? 502 : 200, trace_id: traceId, msg: failed ? "payment backend does not answer" : "served" }) });
      if (i % 2) continue;
      const start = t / 1000;
      const end = start + latency / 1000;
      const front = hex(16);
      const call = hex(16);
      documents.push(
        JSON.stringify({ trace_id: traceId, id: front, name: "shop-web", start_time: start, end_time: end, fault: failed, http: { request: { method: "GET", url: "http://shop" + path, client_ip: "10.0.0.7" }, response: { status: failed ? 502 : 200 } }, annotations: { path }, subsegments: [{ id: call, name: "shop-backend", namespace: "remote", start_time: start + 0.002, end_time: end - 0.001, fault: failed }] }),
        JSON.stringify({ trace_id: traceId, id: hex(16), parent_id: call, name: "shop-backend", start_time: start + 0.003, end_time: end - 0.002, fault: failed, http: { response: { status: failed ? 500 : 200 } }, subsegments: [{ id: hex(16), name: "orders", namespace: "remote", start_time: start + 0.004, end_time: end - 0.004, sql: { url: "orders", sanitized_query: "SELECT * FROM orders WHERE id = ?", database_type: "MySQL" } }] }),
      );
    }
    datums.push(
      { MetricName: "Latency", Unit: "Milliseconds", Timestamp: Math.floor((now - minute * 60_000) / 1000), Values: latencies, Counts: latencies.map(() => 1), Dimensions: [{ Name: "Service", Value: "shop-web" }] },
      { MetricName: "Requests", Unit: "Count", Timestamp: Math.floor((now - minute * 60_000) / 1000), Value: latencies.length, Dimensions: [{ Name: "Service", Value: "shop-web" }] },
    );
  }
  await logs("PutLogEvents", { logGroupName: group, logStreamName: "web-1", logEvents: events });
  await cloudwatch("PutMetricData", { Namespace: "Sample", MetricData: datums });
  for (let i = 0; i < documents.length; i += 50) await xray("TraceSegments", { TraceSegmentDocuments: documents.slice(i, i + 50) });
  await cloudwatch("PutMetricAlarm", { AlarmName: "sample-latency", Namespace: "Sample", MetricName: "Latency", Dimensions: [{ Name: "Service", Value: "shop-web" }], Statistic: "Average", Period: 60, EvaluationPeriods: 3, DatapointsToAlarm: 2, Threshold: 150, ComparisonOperator: "GreaterThanThreshold", AlarmDescription: "Sample data: the shop is slow" });
  await cloudwatch("PutDashboard", { DashboardName: "sample-shop", DashboardBody: JSON.stringify({ widgets: [
    { type: "text", x: 0, y: 0, width: 24, height: 2, properties: { markdown: "# Shop\nSample data of one hour." } },
    { type: "metric", x: 0, y: 2, width: 12, height: 7, properties: { title: "Latency", region: region.value, metrics: [["Sample", "Latency", "Service", "shop-web", { stat: "p99", label: "p99" }], ["...", { stat: "Average", label: "average" }]], period: 60, annotations: { horizontal: [{ value: 150, label: "slow" }] } } },
    { type: "metric", x: 12, y: 2, width: 12, height: 7, properties: { title: "Requests", region: region.value, metrics: [["Sample", "Requests", "Service", "shop-web", { stat: "Sum" }]], period: 60, view: "bar" } },
    { type: "log", x: 0, y: 9, width: 24, height: 7, properties: { title: "Slowest paths", region: region.value, query: `SOURCE '${group}' | stats count(*) as n, avg(latency_ms) as avg_ms by path | sort avg_ms desc` } },
  ] }) });
}
