// A browser for the tests: Debian's Chromium, quiet, without a sandbox when it runs as root.
import { existsSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

export async function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

// FOGWATCH_CONSOLE=web/dist shows the assets of that folder in place of the program's own: for work
// on the console without building the program again. Policy and types stay the server's.
export async function useConsole(context, url) {
  const folder = process.env.FOGWATCH_CONSOLE;
  if (!folder) return;
  const policy = (await fetch(`${url}/console/`)).headers.get("content-security-policy");
  const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };
  await context.route(`${url}/console/**`, (route) => {
    const name = new URL(route.request().url()).pathname.slice("/console/".length) || "index.html";
    const file = join(folder, name);
    if (!existsSync(file)) return route.continue(); // a redirect led to the program's own index
    return route.fulfill({ body: readFileSync(file), headers: { "Content-Type": types[extname(name)] ?? "application/octet-stream", "Content-Security-Policy": policy } });
  });
}

export const pages = ["start", "overview", "metrics", "dashboards", "alarms", "logs/groups", "logs/insights", "logs/tail", "traces", "map", "sampling", "topics", "outbox", "requests", "faults", "usage", "storage", "keys", "settings"];

export async function loadSamples(page, url) {
  await page.goto(`${url}/console/#/start`);
  await page.getByRole("button", { name: "Load sample data" }).click();
  await page.getByText("Sample data loaded").waitFor({ timeout: 30000 });
}
