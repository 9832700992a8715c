// The console in a real browser against a real server: every page opens without an error in both
// themes and has no accessibility fault of level AA; the ways a person goes lead somewhere.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { openBrowser, pages } from "./open.mjs";
import { startServer } from "./server.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let server, browser, page, errors;

before(async () => {
  server = await startServer();
  browser = await openBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, timezoneId: "UTC", bypassCSP: false });
  page = await context.newPage();
  errors = [];
  page.on("pageerror", (e) => errors.push(`${page.url()}: ${e.message}`));
  page.on("console", (m) => m.type() === "error" && errors.push(`${page.url()}: ${m.text()}`));
  page.on("request", (r) => r.url().startsWith(server.url) || r.url().startsWith("blob:") || errors.push(`left the server: ${r.url()}`));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const open = async (path, params = "") => {
  await page.goto(`${server.url}/console/#/${path}${params}`);
  await page.locator("h1").first().waitFor();
};

test("a browser at the bare address lands in the console", async () => {
  await page.goto(server.url + "/");
  await page.locator("h1", { hasText: "Overview" }).waitFor();
  assert.match(page.url(), /\/console\/#\/overview/);
});

test("sample data loads", async () => {
  await open("start");
  await page.getByRole("button", { name: "Load sample data" }).click();
  await page.getByText("Sample data loaded").waitFor({ timeout: 20000 });
});

for (const theme of ["light", "dark"])
  for (const name of pages)
    test(`${name} in ${theme}: no error, no fault of level AA`, async () => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await open(name, "?range=3h");
      await page.waitForTimeout(400);
      // Under the page's policy a script element would not run: axe is evaluated by the driver.
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
      assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
      assert.deepEqual(errors.splice(0), []);
    });

test("an Insights query shows rows and a syntax error shows its code", async () => {
  await open("logs/insights", `?range=3h&groups=${encodeURIComponent("/sample/shop")}&q=${encodeURIComponent("stats count(*) as n by level | sort n desc")}`);
  await page.getByText("Complete").waitFor();
  await page.getByRole("cell", { name: "INFO", exact: true }).waitFor();
  await open("logs/insights", `?range=3h&groups=${encodeURIComponent("/sample/shop")}&q=${encodeURIComponent("stats count( by")}`);
  await page.getByText("MalformedQueryException").first().waitFor();
  errors.splice(0); // the browser reports the 400 itself
});

test("a trace opens from the list and shows its spans and its log lines", async () => {
  await open("traces", "?range=3h");
  await page.locator("tbody a.mono").first().click();
  await page.getByRole("treeitem").first().waitFor();
  assert.ok((await page.getByRole("treeitem").count()) >= 3);
  await page.getByRole("tab", { name: "Logs" }).click();
  await page.locator(".wrapped p").first().waitFor();
  await page.goBack();
  await page.getByRole("treeitem").first().waitFor();
});

test("the map draws the services", async () => {
  await open("map", "?range=3h");
  await page.locator(".node", { hasText: "shop-backend" }).first().waitFor();
});

test("an alarm made by the form fires after the clock is advanced", async () => {
  await open("alarms/new");
  const fill = (label, value) => page.getByLabel(label, { exact: true }).fill(value);
  await fill("Name", "from the form");
  await fill("Namespace", "Form");
  await fill("Metric", "Errors");
  await fill("Statistic", "Sum");
  await page.getByRole("button", { name: "Create alarm" }).click();
  await page.locator("h1", { hasText: "from the form" }).waitFor();
  await page.evaluate(() =>
    fetch("/", {
      method: "POST",
      headers: { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData" },
      body: JSON.stringify({ Namespace: "Form", MetricData: [{ MetricName: "Errors", Value: 3 }] }),
    }),
  );
  await open("settings");
  await page.getByLabel("Advance by seconds").fill("120");
  await page.getByRole("button", { name: "Advance", exact: true }).click();
  await page.getByText("Clock advanced").waitFor();
  await open("alarms/from%20the%20form");
  await page.getByText("Alarm updated from INSUFFICIENT_DATA to ALARM").waitFor();
});

test("a mail subscription is confirmed from the outbox", async () => {
  await open("topics");
  await page.getByRole("button", { name: "Create topic" }).click();
  await page.getByPlaceholder(/Name/).fill("alerts");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("link", { name: "alerts" }).click();
  await page.getByPlaceholder("Endpoint").fill("ops@example.com");
  await page.getByRole("button", { name: "Subscribe", exact: true }).click();
  await page.getByText("pending", { exact: true }).waitFor();
  await open("outbox");
  await page.getByRole("cell", { name: "ops@example.com" }).first().click();
  const link = await page.locator("dialog a[href*='ConfirmSubscription'], dialog a[href*='confirmation']").first().getAttribute("href");
  assert.ok(link.startsWith(server.url));
  const status = await page.evaluate((url) => fetch(url).then((r) => r.status), link.replace("/confirmation.html?", "/?Action=ConfirmSubscription&"));
  assert.equal(status, 200);
  await open("topics");
  await page.getByRole("link", { name: "alerts" }).click();
  await page.getByText("confirmed", { exact: true }).waitFor();
});

test("hostile names and lines are shown as text", async () => {
  const hostile = '<img src=x onerror="document.title=1">';
  await page.evaluate(async (text) => {
    const logs = (operation, body) => fetch("/", { method: "POST", headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328." + operation }, body: JSON.stringify(body) });
    await logs("CreateLogGroup", { logGroupName: "/hostile" });
    await logs("CreateLogStream", { logGroupName: "/hostile", logStreamName: "a'\"><b>" });
    await logs("PutLogEvents", { logGroupName: "/hostile", logStreamName: "a'\"><b>", logEvents: [{ timestamp: Date.now() + 119000, message: text + "\u202e" + "x".repeat(200000) }] });
  }, hostile);
  await open("logs/groups/%2Fhostile", "?tab=search&range=3h");
  await page.getByText("<img src=x").first().waitFor();
  assert.equal(await page.locator("main img").count(), 0);
  assert.match(await page.title(), /Fogwatch$/);
});
