// A browser for the tests: Debian's Chromium, quiet, without a sandbox when it runs as root.
import { chromium } from "playwright-core";

export async function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

export const pages = ["start", "overview", "metrics", "dashboards", "alarms", "logs/groups", "logs/insights", "logs/tail", "traces", "map", "sampling", "topics", "outbox", "requests", "settings"];
