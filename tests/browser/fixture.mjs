// A server, a browser and a page of a test file's own; every fault that the page reports is kept.
import { after, before, test as nodeTest } from "node:test";

import { client } from "./api.mjs";
import { openBrowser, useConsole } from "./open.mjs";
import { startServer } from "./server.mjs";

export function fixture(width = 1280, start = startServer) {
  const t = { server: undefined, browser: undefined, page: undefined, api: undefined, errors: [] };
  before(async () => {
    t.server = await start();
    t.api = client(t.server.url);
    t.browser = await openBrowser();
    const context = await t.browser.newContext({ viewport: { width, height: 860 }, timezoneId: "UTC", acceptDownloads: true });
    await useConsole(context, t.server.url);
    t.page = await context.newPage();
    t.page.setDefaultTimeout(15000);
    t.page.on("pageerror", (e) => t.errors.push(`${t.page.url()}: ${e.message}`));
    t.page.on("console", (m) => m.type() === "error" && t.errors.push(`${t.page.url()}: ${m.text()}`));
    t.page.on("dialog", (d) => (t.errors.push(`a native dialog: ${d.message()}`), d.dismiss()));
    t.page.on("request", (r) => r.url().startsWith(t.server.url) || /^(blob|data|about):/.test(r.url()) || t.errors.push(`left the server: ${r.url()}`));
  });
  after(async () => {
    await t.browser?.close();
    await t.server?.stop();
  });
  t.open = async (path, params = "") => {
    await t.page.goto(`${t.server.url}/console/#/${path}${params}`);
    await t.page.locator("h1").first().waitFor();
  };
  t.button = (name) => t.page.getByRole("button", { name, exact: true });
  return t;
}

export const q = encodeURIComponent;

// A page that hangs ends its test, not the suite's patience.
export const test = (name, ...rest) => {
  const options = typeof rest[0] === "object" ? rest.shift() : {};
  return nodeTest(name, { timeout: 90_000, ...options }, rest[0]);
};
