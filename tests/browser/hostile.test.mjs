// Hostile text in every field that can hold it is shown as text, and typed into every input of every
// page does no harm.
import assert from "node:assert/strict";

import { fixture, q, test } from "./fixture.mjs";
import { pages } from "./open.mjs";

const t = fixture();
// Markup, quotes, a right-to-left override, a formula, a null-like byte, a very long word.
const nasty = `<img src=x onerror="window.pwned=1">'"\`\${7*7}\u202e\u2066=cmd|'/c'!A1</script><svg onload=window.pwned=2>`;
const ascii = nasty.replace(/[^\x20-\x7e]/g, "");
const group = "/hostile/a.b-c_d#1";
const stream = `s'"<b>&${"x".repeat(200)}`;
const trace = `1-${Math.floor(Date.now() / 1000 - 30).toString(16)}-${"a".repeat(24)}`;
const refused = [];
const attempt = (name, promise) => promise.catch((e) => refused.push(`${name}: ${e.message.slice(0, 120)}`));

test("hostile data is stored", async () => {
  const { logs, cloudwatch, xray, sns } = t.api;
  const now = Date.now();
  await logs("CreateLogGroup", { logGroupName: group, tags: { "key<b>": "value" } }).catch(() => logs("CreateLogGroup", { logGroupName: group }));
  await logs("CreateLogStream", { logGroupName: group, logStreamName: stream });
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`column ${i} <b>`, i])));
  const say = (message, at) => logs("PutLogEvents", { logGroupName: group, logStreamName: stream, logEvents: [{ timestamp: at, message }] });
  await say(nasty, now - 5000);
  await say(JSON.stringify({ [nasty]: nasty, level: nasty, trace_id: trace, "a.b": { c: [nasty] } }), now - 4000);
  await say(wide, now - 3000);
  await say(`${nasty} ${"y".repeat(1_000_000)}`, now - 2000);
  await say("\u202eRTL \u0000\u0007 \ud83d\ude00 \u2028 end", now - 1000);
  const dimensions = [{ Name: ascii.slice(0, 200), Value: ascii.slice(0, 200) }];
  await attempt("metric", cloudwatch("PutMetricData", { Namespace: 'Hostile/"<b>', MetricData: [{ MetricName: ascii.slice(0, 200), Dimensions: dimensions, Value: 5 }] }));
  await cloudwatch("PutMetricData", { Namespace: "Hostile", MetricData: [{ MetricName: ascii.slice(0, 200), Dimensions: dimensions, Value: 5 }] });
  await cloudwatch("PutMetricAlarm", { AlarmName: nasty.slice(0, 200), AlarmDescription: nasty, Namespace: "Hostile", MetricName: ascii.slice(0, 200), Dimensions: dimensions, Statistic: "Sum", Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: "GreaterThanThreshold" });
  await cloudwatch("SetAlarmState", { AlarmName: nasty.slice(0, 200), StateValue: "ALARM", StateReason: nasty, StateReasonData: JSON.stringify({ why: nasty }) });
  await attempt("composite", cloudwatch("PutCompositeAlarm", { AlarmName: "composite <b>", AlarmDescription: nasty, AlarmRule: `ALARM("${nasty.slice(0, 200).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}")` }));
  const widget = (type, properties, y) => ({ type, x: 0, y, width: 12, height: 4, properties });
  await cloudwatch("PutDashboard", {
    DashboardName: "hostile",
    DashboardBody: JSON.stringify({
      variables: [{ type: "property", property: "region", inputType: "input", id: "v", label: ascii.slice(0, 30), defaultValue: nasty, visible: true }],
      widgets: [
        widget("text", { markdown: `# ${nasty}\n[link](javascript:window.pwned=3) [x](https://example.com)\n| a | b |\n|---|---|\n| ${nasty} | <b>c</b> |\n- ${nasty}` }, 0),
        widget("metric", { title: nasty, region: "us-east-1", metrics: [["Hostile", ascii.slice(0, 200), dimensions[0].Name, dimensions[0].Value, { label: nasty }]] }, 4),
        widget("metric", { title: nasty, view: "pie", region: "us-east-1", metrics: [["Hostile", ascii.slice(0, 200), dimensions[0].Name, dimensions[0].Value, { label: nasty }]] }, 8),
        widget("log", { title: nasty, region: "us-east-1", query: `SOURCE '${group}' | fields @message, level | limit 5` }, 12),
      ],
    }),
  });
  await xray("TraceSegments", {
    TraceSegmentDocuments: [
      JSON.stringify({
        trace_id: trace, id: "b".repeat(16), name: "svc 'x' <b>=&", start_time: now / 1000 - 30, end_time: now / 1000 - 29, fault: true, user: nasty, http: { request: { method: "GET", url: nasty, user_agent: nasty }, response: { status: 500 } }, annotations: { key: nasty }, metadata: { default: { x: nasty } },
        cause: { exceptions: [{ id: "c".repeat(16), type: nasty, message: nasty, stack: [{ path: nasty, line: 1, label: nasty }] }] }, sql: { url: nasty, sanitized_query: nasty }, subsegments: [{ id: "d".repeat(16), name: nasty.slice(0, 190), start_time: now / 1000 - 30, end_time: now / 1000 - 29.5 }],
      }),
    ],
  });
  await attempt("trace group", xray("CreateGroup", { GroupName: "hostile", FilterExpression: `annotation.key = "${ascii.slice(0, 40).replaceAll('"', "'")}"` }));
  await attempt("sampling rule", xray("CreateSamplingRule", { SamplingRule: { RuleName: "hostile", ResourceARN: "*", Priority: 1, FixedRate: 0.1, ReservoirSize: 1, ServiceName: ascii.slice(0, 60), ServiceType: "*", Host: ascii.slice(0, 60), HTTPMethod: "<b>", URLPath: ascii.slice(0, 100), Version: 1 } }));
  await sns({ Action: "CreateTopic", Name: "hostile", "Attributes.entry.1.key": "DisplayName", "Attributes.entry.1.value": ascii.slice(0, 90) });
  const TopicArn = "arn:aws:sns:us-east-1:000000000000:hostile";
  await sns({ Action: "Subscribe", TopicArn, Protocol: "sms", Endpoint: "+15555550123" });
  await sns({ Action: "Publish", TopicArn, Message: nasty });
  await attempt("subject", sns({ Action: "Publish", TopicArn, Message: nasty, Subject: ascii.slice(0, 90) }));
  await attempt("mail", sns({ Action: "Subscribe", TopicArn, Protocol: "email", Endpoint: "a'<b>@example.com" }));
  if (refused.length) console.log("# not storable: " + refused.join("; "));
});

async function unharmed(where) {
  assert.equal(await t.page.evaluate(() => window.pwned), undefined, where);
  assert.equal(await t.page.evaluate(() => document.querySelectorAll("main img, dialog img, main svg[onload], main script, [onerror]").length), 0, where);
  assert.equal(await t.page.locator(".problem", { hasText: "ConsoleError" }).count(), 0, where);
  assert.deepEqual(t.errors.splice(0).filter((e) => !/status of 4\d\d/.test(e)), [], where);
  const over = await t.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${where} is ${over} px too wide`);
}

const alarm = q(nasty.slice(0, 200));
const views = [
  ...pages, `alarms/${alarm}`, "alarms/composite%20%3Cb%3E", "dashboards/hostile", `topics/${q("arn:aws:sns:us-east-1:000000000000:hostile")}`, `traces/${trace}`, `traces/${trace}?span=${"b".repeat(16)}&side=span`, `traces/${trace}?tab=raw`, "traces?group=annotation%20key", "map?view=list", "sampling?tab=groups",
  `logs/groups/${q(group)}`, `logs/groups/${q(group)}?tab=search`, `logs/groups/${q(group)}?tab=search&wrap=yes`, `logs/groups/${q(group)}?tab=filters`, `logs/groups/${q(group)}?tab=tags`, `logs/groups/${q(group)}/${q(stream)}`,
  `logs/insights?groups=${q(group)}`, `logs/insights?groups=${q(group)}&view=raw`, `logs/insights?groups=${q(group)}&view=patterns`, `logs/insights?groups=${q(group)}&q=${q("fields @message, `column 1 <b>`, level")}`, `logs/tail?groups=${q(group)}`,
  `metrics?ns=Hostile&rows=${q(JSON.stringify([{ id: "m1", metric: { Namespace: "Hostile", MetricName: ascii.slice(0, 200), Dimensions: [{ Name: ascii.slice(0, 200), Value: ascii.slice(0, 200) }] }, label: nasty }]))}`,
  // What a stranger may put into a link.
  `metrics?rows=${q('[{"id":"<b>","expression":"<img src=x onerror=alert(1)>"}]')}`, "metrics?rows=%7Bnot%20json", `${q(nasty)}/x`, `alarms/${q("../../" + nasty)}`, `logs/insights?q=${q(nasty)}&groups=${q(nasty)}`, `traces?filter=${q(nasty)}`, "overview?range=%3Cb%3E", "%E0%A4%A",
];

for (const width of [1280, 390])
  test(`every view shows it as text, ${width} px wide`, { timeout: 180_000 }, async () => {
    await t.page.setViewportSize({ width, height: 860 });
    for (const view of views) {
      await t.open(view + (view.includes("?") ? "&" : "?") + (view.includes("range=") ? "" : "range=1h"));
      await t.page.waitForTimeout(width === 1280 ? 350 : 200);
      await unharmed(`${view} at ${width}`);
    }
  });

test("events open in full: markup, a megabyte, five thousand columns", async () => {
  await t.page.setViewportSize({ width: 1280, height: 860 });
  await t.open(`logs/insights?range=1h&groups=${q(group)}&q=${q("fields @timestamp, @message | sort @timestamp asc")}`);
  const rows = t.page.locator("tbody tr.clickable");
  await rows.nth(4).waitFor();
  for (let i = 0; i < 5; i++) {
    const began = Date.now();
    await rows.nth(i).click();
    await t.page.getByRole("dialog", { name: "Log event" }).locator("pre").first().waitFor();
    await t.page.waitForTimeout(300);
    await unharmed(`event ${i}`);
    assert.ok(Date.now() - began < 10_000, `event ${i} took ${Date.now() - began} ms`);
    await t.page.keyboard.press("Escape");
  }
  assert.match(await t.page.title(), /Fogwatch$/);
});

test("typed into every input of every page it does no harm", { timeout: 180_000 }, async () => {
  for (const view of [...pages, "alarms/new", "alarms/new?type=composite", "dashboards/hostile", `logs/groups/${q(group)}?tab=filters`, `logs/groups/${q(group)}?tab=search`, `traces/${trace}`]) {
    await t.open(view + (view.includes("?") ? "&" : "?") + "range=1h");
    await t.page.waitForTimeout(150);
    const inputs = t.page.locator("main input:visible:not([type=checkbox]):not([type=number]):not([type=color]), main textarea:visible");
    for (let i = 0, n = await inputs.count(); i < Math.min(n, 20); i++) {
      const input = inputs.nth(i);
      if (!(await input.isVisible().catch(() => false)) || (await input.getAttribute("readonly")) !== null) continue;
      await input.fill(nasty, { timeout: 2000 }).catch(() => undefined); // a list may have moved meanwhile
    }
    await t.page.waitForTimeout(250);
    await unharmed(`typed into ${view}`);
  }
  await t.open("overview");
  await t.page.keyboard.press("Control+k");
  await t.page.getByRole("combobox", { name: "Search" }).fill(nasty.slice(0, 12));
  await t.page.waitForTimeout(200);
  await unharmed("the palette");
});
