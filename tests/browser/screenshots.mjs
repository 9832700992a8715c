// Pictures of every page in both themes.   node screenshots.mjs URL FOLDER [WIDTH]
import { mkdirSync } from "node:fs";

import { openBrowser, pages } from "./open.mjs";

const [url, folder, width = "1280"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await openBrowser();
for (const theme of ["light", "dark"]) {
  const context = await browser.newContext({ viewport: { width: Number(width), height: 860 }, colorScheme: theme });
  const page = await context.newPage();
  page.on("pageerror", (e) => console.log(`${page.url()}: ${e.message}`));
  page.on("console", (m) => m.type() === "error" && console.log(`${page.url()}: ${m.text()}`));
  await page.goto(`${url}/console/#/start`);
  if (theme === "light") {
    await page.getByRole("button", { name: "Load sample data" }).click();
    await page.getByText(/Sample data loaded|request /).first().waitFor({ timeout: 15000 });
  }
  for (const name of [...pages, "alarms/sample-latency", "dashboards/sample-shop"]) {
    await page.goto(`${url}/console/#/${name}?range=1h` + (name === "logs/insights" ? `&groups=${encodeURIComponent("/sample/shop")}` : ""));
    await page.waitForTimeout(700);
    await page.screenshot({ path: `${folder}/${name.replaceAll("/", "-")}-${theme}.png` });
  }
  await context.close();
}
await browser.close();
