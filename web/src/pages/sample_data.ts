// Sample data: three hours of an AI inference service, with one model that got slow a while ago:
// log lines, metrics, traces over six services, alarms, a topic with subscribers, a dashboard.
import { cloudwatch, control, logs, sns, xray } from "../api/client";
import { region } from "../app/settings";
import { serverNow } from "../app/time";

const minutes = 180;
const slowMinutes = 14;
const models = [
  { name: "gpt-4", base: 1400, cost: 0.03 },
  { name: "claude-3", base: 620, cost: 0.015 },
  { name: "llama-70b", base: 380, cost: 0.004 },
];
const paths = ["/v1/chat", "/v1/complete", "/v1/embed", "/v1/rerank"];
const users = ["ada", "grace", "linus", "margaret", "edsger"];
const group = (name: string) => `/sample/${name}`;

const hex = (n: number) => Array.from(crypto.getRandomValues(new Uint8Array(n / 2)), (b) => b.toString(16).padStart(2, "0")).join("");
const pick = <T>(list: T[]) => list[Math.floor(Math.random() * list.length)]!;
const around = (mean: number, spread: number) => Math.max(mean * 0.3, mean + (Math.random() + Math.random() + Math.random() - 1.5) * spread * mean);
async function inParts<T>(items: T[], size: number, put: (part: T[]) => Promise<unknown>) {
  for (let i = 0; i < items.length; i += size) await put(items.slice(i, i + size));
}

interface Request {
  at: number; // epoch ms
  model: (typeof models)[number];
  path: string;
  user: string;
  ms: number;
  tokens: number;
  failed: boolean;
  trace: string;
}

function makeRequests(now: number): Request[] {
  const requests: Request[] = [];
  for (let minute = minutes; minute > 0; minute--) {
    const busy = 9 + Math.round(5 * Math.sin(minute / 22) + Math.random() * 3);
    for (let i = 0; i < busy; i++) {
      const at = Math.round(now - minute * 60_000 + (i + Math.random()) * (60_000 / busy));
      const model = pick(models);
      const isSlow = minute <= slowMinutes && model.name === "gpt-4";
      const failed = Math.random() < (isSlow ? 0.16 : 0.008);
      requests.push({ at, model, path: pick(paths), user: pick(users), ms: Math.round(around(model.base, 0.5) * (isSlow ? 2.6 : 1)), tokens: Math.round(around(700, 0.8)), failed, trace: `1-${Math.floor(at / 1000).toString(16).padStart(8, "0")}-${hex(24)}` });
    }
  }
  return requests.sort((a, b) => a.at - b.at);
}

// gateway -> inference -> accounts (SQL), vectors (DynamoDB), the model's endpoint.
function documentsOf(r: Request): string[] {
  const start = r.at / 1000;
  const end = start + r.ms / 1000;
  const part = (share: number) => start + (r.ms / 1000) * share;
  const [root, call, model] = [hex(16), hex(16), hex(16)];
  const cause = r.failed ? { cause: { exceptions: [{ id: hex(16), type: "UpstreamTimeout", message: `${r.model.name} did not answer in time`, stack: [{ path: "inference/models.py", line: 212, label: "complete" }, { path: "inference/app.py", line: 58, label: "infer" }] }] } } : {};
  const status = r.failed ? 504 : 200;
  return [
    { trace_id: r.trace, id: root, name: "gateway", start_time: start, end_time: end, fault: r.failed, user: r.user, http: { request: { method: "POST", url: "https://api.example.com" + r.path, client_ip: "10.0.0.7", user_agent: "demo/1.4" }, response: { status, content_length: r.tokens * 4 } }, annotations: { path: r.path, user: r.user }, subsegments: [{ id: hex(16), name: "authorise", start_time: start, end_time: part(0.02) }, { id: call, name: "inference", namespace: "remote", start_time: part(0.02), end_time: part(0.99), fault: r.failed, http: { response: { status } } }] },
    {
      trace_id: r.trace, id: hex(16), parent_id: call, name: "inference", start_time: part(0.03), end_time: part(0.98), fault: r.failed, annotations: { model_name: r.model.name, environment: "production" }, metadata: { request: { tokens: r.tokens, cost: (r.tokens / 1000) * r.model.cost } }, http: { response: { status } }, aws: { cloudwatch_logs: [{ log_group: group("inference") }] }, ...cause,
      subsegments: [
        { id: hex(16), name: "accounts", namespace: "remote", start_time: part(0.04), end_time: part(0.08), sql: { url: "jdbc:mysql://accounts", sanitized_query: "SELECT quota FROM account WHERE user = ?", database_type: "MySQL" } },
        { id: hex(16), name: "tokenize", start_time: part(0.08), end_time: part(0.12), metadata: { default: { tokens: r.tokens } } },
        { id: hex(16), name: "vectors", namespace: "aws", start_time: part(0.1), end_time: part(0.22), aws: { operation: "Query", table_name: "vectors" } },
        { id: model, name: r.model.name, namespace: "remote", start_time: part(0.23), end_time: part(0.95), fault: r.failed, http: { request: { method: "POST", url: `https://models.example.com/${r.model.name}` }, response: { status } } },
      ],
    },
    { trace_id: r.trace, id: hex(16), parent_id: model, name: r.model.name, start_time: part(0.24), end_time: part(0.94), fault: r.failed, http: { response: { status } }, subsegments: [{ id: hex(16), name: "prefill", start_time: part(0.25), end_time: part(0.4) }, { id: hex(16), name: "decode", start_time: part(0.4), end_time: part(0.93) }] },
  ].map((d) => JSON.stringify(d));
}

async function putLogs(requests: Request[]) {
  const lines = {
    gateway: requests.map((r) => ({ timestamp: r.at, message: JSON.stringify({ level: r.failed ? "ERROR" : "INFO", method: "POST", path: r.path, status: r.failed ? 504 : 200, latency_ms: r.ms, user: r.user, trace_id: r.trace }) })),
    inference: requests.map((r) => ({ timestamp: r.at + r.ms, message: JSON.stringify({ level: r.failed ? "ERROR" : r.ms > 2500 ? "WARN" : "INFO", model: r.model.name, latency_ms: r.ms, tokens: r.tokens, cost: Number(((r.tokens / 1000) * r.model.cost).toFixed(5)), trace_id: r.trace, msg: r.failed ? `${r.model.name} did not answer in time` : "completed" }) })),
    worker: requests.filter((_, i) => i % 3 === 0).map((r) => ({ timestamp: r.at, message: `${new Date(r.at).toISOString()} ${r.failed ? "ERROR" : "INFO"} batch ${Math.floor(r.at / 60000) % 997} of ${r.user}: ${r.tokens} tokens in ${r.ms} ms${r.failed ? " (retry 1 of 3)" : ""}` })),
  };
  for (const [name, events] of Object.entries(lines)) {
    for (const [operation, input] of [["CreateLogGroup", { logGroupName: group(name) }], ["CreateLogStream", { logGroupName: group(name), logStreamName: name + "-1" }]] as const)
      await logs(operation, input).catch((e: { code?: string }) => {
        if (e.code !== "ResourceAlreadyExistsException") throw e;
      });
    events.sort((a, b) => a.timestamp - b.timestamp);
    await inParts(events, 2000, (part) => logs("PutLogEvents", { logGroupName: group(name), logStreamName: name + "-1", logEvents: part }));
  }
}

async function putMetrics(requests: Request[], now: number) {
  const datums: Record<string, unknown>[] = [];
  for (let minute = minutes; minute > 0; minute--) {
    const from = now - minute * 60_000;
    const Timestamp = Math.floor(from / 1000);
    const here = requests.filter((r) => r.at >= from && r.at < from + 60_000);
    const of = (dimension: string, value: string) => [{ Name: dimension, Value: value }];
    for (const model of models) {
      const mine = here.filter((r) => r.model === model);
      if (!mine.length) continue;
      const Dimensions = of("ModelName", model.name);
      datums.push(
        { MetricName: "InferenceLatency", Unit: "Milliseconds", Timestamp, Dimensions, Values: mine.map((r) => r.ms), Counts: mine.map(() => 1) },
        { MetricName: "TokensPerRequest", Unit: "Count", Timestamp, Dimensions, Values: mine.map((r) => r.tokens), Counts: mine.map(() => 1) },
        { MetricName: "Cost", Unit: "None", Timestamp, Dimensions, Value: mine.reduce((n, r) => n + (r.tokens / 1000) * model.cost, 0) },
        { MetricName: "Errors", Unit: "Count", Timestamp, Dimensions, Value: mine.filter((r) => r.failed).length },
      );
    }
    datums.push({ MetricName: "Requests", Unit: "Count", Timestamp, Dimensions: of("Service", "gateway"), Value: here.length });
    for (const [i, host] of ["gpu-1", "gpu-2"].entries())
      datums.push({ MetricName: "GPUUtilization", Unit: "Percent", Timestamp, Dimensions: of("Host", host), Value: Math.min(99, around(here.length * 4.2 + i * 9, 0.12) + (minute <= slowMinutes ? 18 : 0)) });
  }
  await inParts(datums, 900, (part) => cloudwatch("PutMetricData", { Namespace: "Sample", MetricData: part }));
}

async function putAlarms() {
  const { TopicArn } = await sns<{ TopicArn: string }>("CreateTopic", { Name: "sample-ops" });
  await sns("Subscribe", { TopicArn, Protocol: "sms", Endpoint: "+15555550100" });
  const { SubscriptionArn } = await sns<{ SubscriptionArn: string }>("Subscribe", { TopicArn, Protocol: "email", Endpoint: "ops@example.com", ReturnSubscriptionArn: true });
  const mail = (await control<{ messages: { subscription?: string; token?: string }[] }>("GET", "outbox?protocol=email")).messages.findLast((m) => m.subscription === SubscriptionArn && m.token);
  if (mail) await sns("ConfirmSubscription", { TopicArn, Token: mail.token });
  const shared = { Namespace: "Sample", Period: 60, EvaluationPeriods: 3, DatapointsToAlarm: 2, ComparisonOperator: "GreaterThanThreshold", TreatMissingData: "missing", AlarmActions: [TopicArn], OKActions: [TopicArn] };
  const of = (Name: string, Value: string) => [{ Name, Value }];
  await cloudwatch("PutMetricAlarm", { ...shared, AlarmName: "sample-latency", AlarmDescription: "gpt-4 answers slowly", MetricName: "InferenceLatency", Dimensions: of("ModelName", "gpt-4"), Statistic: "Average", Threshold: 2500 });
  await cloudwatch("PutMetricAlarm", { ...shared, AlarmName: "sample-errors", AlarmDescription: "claude-3 fails", MetricName: "Errors", Dimensions: of("ModelName", "claude-3"), Statistic: "Sum", Threshold: 3 });
  await cloudwatch("PutMetricAlarm", { ...shared, AlarmName: "sample-gpu", AlarmDescription: "A GPU is nearly full", MetricName: "GPUUtilization", Dimensions: of("Host", "gpu-2"), ExtendedStatistic: "p90", Threshold: 97 });
  await cloudwatch("PutMetricAlarm", { AlarmName: "sample-traffic", AlarmDescription: "Traffic is not as it used to be", EvaluationPeriods: 3, DatapointsToAlarm: 3, ComparisonOperator: "LessThanLowerOrGreaterThanUpperThreshold", ThresholdMetricId: "band", Metrics: [{ Id: "m1", MetricStat: { Metric: { Namespace: "Sample", MetricName: "Requests", Dimensions: of("Service", "gateway") }, Period: 60, Stat: "Sum" } }, { Id: "band", Expression: "ANOMALY_DETECTION_BAND(m1, 3)", Label: "expected" }] });
  await cloudwatch("PutCompositeAlarm", { AlarmName: "sample-service", AlarmDescription: "The service is not well", AlarmRule: 'ALARM("sample-latency") AND NOT ALARM("sample-gpu") OR ALARM("sample-errors")', AlarmActions: [TopicArn] });
}

function dashboard(arn: (alarm: string) => string): string {
  const r = region.value;
  const byModel = (metric: string, stat: string) => models.map((m) => ["Sample", metric, "ModelName", m.name, { stat, label: m.name }]);
  return JSON.stringify({
    variables: [{ type: "pattern", pattern: "CHOSEN", inputType: "select", id: "model", label: "Model", defaultValue: "gpt-4", visible: true, values: models.map((m) => ({ value: m.name, label: m.name })) }],
    widgets: [
      { type: "text", x: 0, y: 0, width: 10, height: 3, properties: { markdown: "# Inference\nThree hours of **sample data**. The *Model* above turns the first chart." } },
      { type: "metric", x: 10, y: 0, width: 8, height: 3, properties: { title: "Now", view: "singleValue", region: r, period: 60, metrics: [["Sample", "Requests", "Service", "gateway", { stat: "Sum", label: "requests" }], ["Sample", "InferenceLatency", "ModelName", "gpt-4", { stat: "p99", label: "p99 ms" }]] } },
      { type: "alarm", x: 18, y: 0, width: 6, height: 3, properties: { title: "Alarms", alarms: ["sample-service", "sample-latency", "sample-errors"].map(arn) } },
      { type: "metric", x: 0, y: 3, width: 12, height: 6, properties: { title: "Latency of the model", region: r, period: 60, metrics: [["Sample", "InferenceLatency", "ModelName", "CHOSEN", { stat: "p99", label: "CHOSEN p99" }], ["...", { stat: "Average", label: "CHOSEN average" }]], annotations: { horizontal: [{ value: 2500, label: "slow" }] } } },
      { type: "metric", x: 12, y: 3, width: 12, height: 6, properties: { title: "Tokens a minute", region: r, period: 60, stacked: true, metrics: byModel("TokensPerRequest", "Sum") } },
      { type: "metric", x: 0, y: 9, width: 6, height: 5, properties: { title: "GPU", view: "gauge", region: r, period: 60, yAxis: { left: { min: 0, max: 100 } }, metrics: [["Sample", "GPUUtilization", "Host", "gpu-2", { stat: "Average", label: "gpu-2" }]] } },
      { type: "metric", x: 6, y: 9, width: 6, height: 5, properties: { title: "Cost by model", view: "pie", region: r, period: 60, metrics: byModel("Cost", "Sum") } },
      { type: "log", x: 12, y: 9, width: 12, height: 5, properties: { title: "Errors by model", region: r, view: "table", query: `SOURCE '${group("inference")}' | stats count(*) as lines, avg(latency_ms) as avg_ms, sum(cost) as dollars by model, level | sort lines desc` } },
    ],
  });
}

export async function sampleData(): Promise<void> {
  const now = serverNow();
  const requests = makeRequests(now);
  await putLogs(requests);
  await putMetrics(requests, now);
  await inParts(requests.filter((_, i) => i % 3 === 0).flatMap(documentsOf), 50, (part) => xray("TraceSegments", { TraceSegmentDocuments: part }));
  await putAlarms();
  const alarms = await cloudwatch<{ MetricAlarms?: { AlarmArn: string }[] }>("DescribeAlarms", { AlarmNames: ["sample-latency"] });
  const prefix = (alarms.MetricAlarms?.[0]?.AlarmArn ?? "").replace(/sample-latency$/, "");
  await cloudwatch("PutDashboard", { DashboardName: "sample-inference", DashboardBody: dashboard((name) => prefix + name) });
  for (const [path, input] of [
    ["CreateGroup", { GroupName: "sample-slow", FilterExpression: "responsetime > 3" }],
    ["CreateSamplingRule", { SamplingRule: { RuleName: "sample-chat", ResourceARN: "*", Priority: 10, FixedRate: 0.25, ReservoirSize: 5, ServiceName: "gateway", ServiceType: "*", Host: "*", HTTPMethod: "POST", URLPath: "/v1/chat*", Version: 1 } }],
  ] as const)
    await xray(path, input).catch(() => undefined); // there already
}
