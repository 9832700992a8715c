// Pictures of every page in both themes, at 1280 and at 390 px wide, of a server with sample data.
//
//   node screenshots.mjs FOLDER         FOGWATCH_BINARY and FOGWATCH_CONSOLE as in the tests
//   node screenshots.mjs FOLDER docs    only the four of README.md, as WebP of at most 150 KB
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { loadSamples, openBrowser, pages, useConsole } from "./open.mjs";
import { startServer } from "./server.mjs";

const [folder, what] = process.argv.slice(2);
if (!folder) throw new Error("usage: node screenshots.mjs FOLDER [docs]");
mkdirSync(folder, { recursive: true });
const server = await startServer();
const browser = await openBrowser();
const groups = encodeURIComponent("/sample/inference");
const stats = encodeURIComponent("stats avg(latency_ms) as ms by bin(2m), model");
const rows = encodeURIComponent(
  JSON.stringify([
    { id: "m1", metric: { Namespace: "Sample", MetricName: "InferenceLatency", Dimensions: [{ Name: "ModelName", Value: "gpt-4" }] }, stat: "Average" },
    { id: "b1", expression: "ANOMALY_DETECTION_BAND(m1, 3)", label: "expected" },
  ]),
);

async function openPage(theme, width) {
  const context = await browser.newContext({ viewport: { width, height: width > 700 ? 860 : 844 }, colorScheme: theme, timezoneId: "UTC" });
  await useConsole(context, server.url);
  const page = await context.newPage();
  page.on("pageerror", (e) => console.error(`${page.url()}: ${e.message}`));
  return page;
}
async function visit(page, path) {
  await page.goto(`${server.url}/console/#/${path}${path.includes("?") ? "&" : "?"}range=1h`);
  await page.waitForTimeout(what === "docs" ? 1500 : 700);
}

try {
  const first = await openPage("light", 1280);
  await loadSamples(first, server.url);
  // Alarms look every minute: let them see the slow model.
  await first.evaluate(() => fetch("/_fogwatch/clock/advance", { method: "POST", headers: { "X-Fogwatch-Console": "1" }, body: '{"seconds":70}' }));
  await visit(first, "traces?filter=" + encodeURIComponent("fault = true"));
  const trace = await first.locator("tbody a.mono").first().textContent().then(() => first.locator("tbody a.mono").first().getAttribute("href"));
  const tracePath = trace.replace(/^#\//, "").replace(/\?.*/, "");
  await first.context().close();
  const named = [
    ...pages.map((name) => [name.replaceAll("/", "-"), name]),
    ["metrics-chart", `metrics?rows=${rows}&ns=Sample`], ["insights-table", `logs/insights?groups=${groups}`], ["insights-chart", `logs/insights?groups=${groups}&view=chart&q=${stats}`], ["insights-patterns", `logs/insights?groups=${groups}&view=patterns`],
    ["trace", tracePath], ["alarm", "alarms/sample-latency"], ["alarm-composite", "alarms/sample-service"], ["alarm-form", "alarms/new"], ["dashboard", "dashboards/sample-inference"], ["group", `logs/groups/${groups}?tab=search`], ["map-list", "map?view=list"],
  ];
  if (what === "docs") {
    for (const [name, path, theme] of [["overview", "overview", "light"], ["insights", `logs/insights?groups=${groups}&view=chart&q=${stats}`, "light"], ["trace", tracePath, "dark"], ["dashboard", "dashboards/sample-inference", "dark"]]) {
      const page = await openPage(theme, 1280);
      await visit(page, path);
      const png = (await page.screenshot()).toString("base64");
      // The browser itself writes WebP, which takes a third of PNG here.
      await page.goto("about:blank");
      const webp = await page.evaluate(async (data) => {
        const image = new Image();
        image.src = "data:image/png;base64," + data;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/webp", 0.85).split(",")[1];
      }, png);
      const file = join(folder, `${name}.webp`);
      writeFileSync(file, Buffer.from(webp, "base64"));
      if (statSync(file).size > 150_000) throw new Error(`${file} is larger than 150 KB`);
      console.log(`${file} ${Math.round(statSync(file).size / 1024)} KiB`);
      await page.context().close();
    }
  } else {
    for (const width of [1280, 390])
      for (const theme of ["light", "dark"]) {
        const page = await openPage(theme, width);
        for (const [name, path] of named) {
          await visit(page, path);
          await page.screenshot({ path: join(folder, `${name}-${theme}-${width}.png`) });
        }
        await page.context().close();
      }
    console.log(`${4 * named.length} pictures in ${folder}`);
  }
} finally {
  await browser.close();
  await server.stop();
}
