// Every page in both themes, wide and narrow: no error, no fault of level AA, no sideways scrolling;
// and what the first load may weigh and how soon it paints.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { fixture, q, test } from "./fixture.mjs";
import { loadSamples, pages } from "./open.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const t = fixture();

test("a browser at the bare address lands in the console", async () => {
  await t.page.goto(t.server.url + "/");
  await t.page.locator("h1", { hasText: "Overview" }).waitFor();
  assert.match(t.page.url(), /\/console\/#\/overview/);
});

test("the first load stays within 60 KiB gzip", async () => {
  const sizes = [];
  const count = async (response) => sizes.push([response.url().split("/").at(-1), gzipSync(await response.body().catch(() => ""), { level: 9 }).length]);
  const waits = [];
  const listen = (r) => /\/console\//.test(r.url()) && waits.push(count(r));
  t.page.on("response", listen);
  await t.page.goto("about:blank");
  await t.open("overview");
  await t.page.waitForTimeout(500);
  await Promise.all(waits);
  t.page.off("response", listen);
  const total = sizes.reduce((n, [, size]) => n + size, 0);
  assert.ok(sizes.length >= 3 && total <= 60 * 1024, `${total} bytes: ${JSON.stringify(sizes)}`);
});

const dist = process.env.FOGWATCH_CONSOLE ?? join(import.meta.dirname, "../../web/dist");
test("the whole console stays within 350 KiB gzip", { skip: !existsSync(dist) && "web/dist is not here" }, () => {
  const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  const total = files.reduce((n, f) => n + gzipSync(readFileSync(join(f.parentPath, f.name)), { level: 9 }).length, 0);
  assert.ok(total <= 350 * 1024, `${total} bytes`);
});

test("the first paint comes within 300 ms", async () => {
  const times = [];
  // The best of several: the machine may be busy with something else.
  for (let i = 0; i < 6 && Math.min(...times, 1e9) > 300; i++) {
    await t.page.goto("about:blank");
    await t.open("overview");
    times.push(await t.page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 1e9));
  }
  assert.ok(Math.min(...times) <= 300, `${times.map(Math.round)} ms`);
});

test("assets are compressed, cached by hash and under a strict policy", async () => {
  const index = await fetch(t.server.url + "/console/");
  const policy = index.headers.get("content-security-policy");
  for (const rule of ["default-src 'self'", "style-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"]) assert.ok(policy.includes(rule), rule);
  assert.ok(!policy.includes("unsafe"));
  assert.equal(index.headers.get("cache-control"), "no-cache");
  const asset = await fetch(new URL(/src="([^"]+\.js)"/.exec(await index.text())[1], index.url), { headers: { "Accept-Encoding": "gzip" } });
  assert.match(asset.headers.get("cache-control"), /immutable/);
  assert.equal(asset.headers.get("content-encoding"), "gzip");
});

test("pages without any data say what would fill them", async () => {
  for (const name of pages) {
    await t.open(name);
    await t.page.waitForTimeout(120);
  }
  await t.open("alarms");
  await t.page.getByText("aws --endpoint-url " + t.server.url).first().waitFor();
  assert.deepEqual(t.errors.splice(0), []);
});

let details = [];
test("sample data loads", async () => {
  await loadSamples(t.page, t.server.url);
  const now = Date.now() / 1000;
  const traces = await t.api.xray("TraceSummaries", { StartTime: now - 10_700, EndTime: now, FilterExpression: "fault = true" });
  const rows = [{ id: "m1", metric: { Namespace: "Sample", MetricName: "InferenceLatency", Dimensions: [{ Name: "ModelName", Value: "gpt-4" }] }, stat: "p99" }, { id: "b1", expression: "ANOMALY_DETECTION_BAND(m1, 2)" }];
  const topic = "arn:aws:sns:us-east-1:000000000000:sample-ops";
  const groups = q("/sample/inference");
  details = [
    `traces/${traces.TraceSummaries[0].Id}`, "alarms/sample-latency", "alarms/sample-service", "alarms/new", "alarms/new?type=composite", "alarms?state=mute", "dashboards/sample-inference", `topics/${q(topic)}`,
    `metrics?ns=Sample&rows=${q(JSON.stringify(rows))}`, `logs/insights?groups=${groups}`, `logs/insights?groups=${groups}&view=patterns`, `logs/insights?groups=${groups}&view=explain`, `logs/insights?groups=${groups}&view=chart&q=${q("stats count(*) by bin(5m), model")}`,
    `logs/groups/${groups}`, `logs/groups/${groups}?tab=search`, `logs/groups/${groups}?tab=tags`, `logs/groups/${groups}/inference-1`, "map?view=list", "sampling?tab=groups", "requests?tab=coverage", "traces?group=URL",
  ];
});

// Pages by name; what is below them by its number in `details`.
for (const width of [1280, 390])
  for (const theme of ["light", "dark"])
    for (let i = 0; i < pages.length + 21; i++) {
      const isPage = i < pages.length;
      if (width === 390 && theme === "dark" && !isPage) continue; // colours do not depend on the width
      test(`${isPage ? pages[i] : `detail ${i - pages.length}`} in ${theme} at ${width}: no error, no fault of level AA, no overflow`, async () => {
        const path = isPage ? pages[i] : details[i - pages.length];
        await t.page.setViewportSize({ width, height: 860 });
        await t.page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
        await t.open(path + (path.includes("?") ? "&" : "?") + "range=3h");
        await t.page.waitForTimeout(250);
        const over = await t.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${path} is ${over} px too wide`);
        assert.equal(await t.page.locator(".problem", { hasText: "ConsoleError" }).count(), 0);
        assert.deepEqual(t.errors.splice(0).filter((e) => !/status of 400/.test(e) || isPage), []); // a browser reports every answer above 399
        if (width === 390 && (!isPage || theme === "dark")) return; // the same elements and colours as wide
        // Under the page's policy a script element would not run: axe is evaluated by the driver.
        await t.page.evaluate(axe);
        // A theme changes colours only.
        const rules = theme === "dark" ? { type: "rule", values: ["color-contrast"] } : { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa"] };
        const found = await t.page.evaluate((runOnly) => axe.run(document, { runOnly }), rules);
        assert.deepEqual(found.violations.map((v) => `${path} ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
      });
    }
