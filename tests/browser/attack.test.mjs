// A real page on another port, in the same browser as the console, tries everything a page can try.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before } from "node:test";

import { openBrowser, useConsole } from "./open.mjs";
import { test } from "./fixture.mjs";
import { password, startServer, startSite } from "./server.mjs";

const t = {};
before(async () => {
  t.dev = await startServer();
  t.site = await startSite();
  // The attacker's place: another port of the same host (same site!), and another name.
  t.evil = createServer((request, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><title>evil</title><body>hello");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => t.evil.once("listening", resolve));
  t.port = t.evil.address().port;
  t.browser = await openBrowser();
  t.context = await t.browser.newContext();
  await useConsole(t.context, t.site.url);
  t.page = await t.context.newPage();
  // The victim is signed in.
  await t.page.goto(`${t.site.url}/console/#/overview`);
  await t.page.getByLabel("User").fill("ann");
  await t.page.getByLabel("Password").fill(password);
  await t.page.getByRole("button", { name: "Sign in" }).click();
  await t.page.locator("h1", { hasText: "Overview" }).waitFor();
});
after(async () => {
  await t.browser?.close();
  t.evil?.close();
  await t.dev?.stop();
  await t.site?.stop();
});

const scope = `AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=${"0".repeat(64)}`;
const form = "Action=CreateTopic&Name=evil&Version=2010-03-31";

// What is left behind by an attack that works: topics, groups, rules, a moved clock. Asked as the owner would ask.
async function traces(url, cookie) {
  const headers = cookie ? { Cookie: cookie, "X-Fogwatch-Console": "1" } : {};
  const text = async (path, more) => (await fetch(url + path, { ...more, headers: { ...headers, ...more?.headers } })).text();
  return {
    topics: (await text("/", { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: "Action=ListTopics&Version=2010-03-31" })).includes("evil"),
    groups: (await text("/", { method: "POST", headers: { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.DescribeLogGroups" }, body: "{}" })).includes("evil"),
    faults: (await text("/_fogwatch/faults")).includes("evil"),
    clock: JSON.parse(await text("/_fogwatch/clock")).rate === 0,
    metrics: (await text("/", { method: "POST", headers: { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics" }, body: "{}" })).includes("Evil"),
    keys: (await text("/_fogwatch/keys")).includes("evil"),
  };
}

for (const [name, host] of [["another port of the same address", "127.0.0.1"], ["another name", "localhost"]])
  for (const which of ["dev", "site"])
    test(`a page at ${name} changes and reads nothing (${which})`, async () => {
      const url = t[which].url;
      const page = await t.context.newPage();
      await page.goto(`http://${host}:${t.port}/`);
      const results = await page.evaluate(
        async ([url, scope, form]) => {
          const out = [];
          const bodies = {
            form,
            metric: "Action=PutMetricData&Version=2010-08-01&Namespace=Evil&MetricData.member.1.MetricName=m&MetricData.member.1.Value=1",
            json: '{"logGroupName": "evil"}',
            rule: '{"rules": [{"service": "evil", "throttle": true}]}',
            rule2: '{"rules": [{"account": "evil", "throttle": true}]}',
            clock: '{"rate": 0}',
            key: '{"name": "evil"}',
          };
          const types = [undefined, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json", "application/x-amz-json-1.1", "application/cbor"];
          const calls = [];
          for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
            for (const type of types)
              for (const path of ["/", "/?" + form, "/_fogwatch/clock", "/_fogwatch/faults", "/_fogwatch/keys", "/_fogwatch/reset", "/_fogwatch/outbox", "/v1/traces", "/TraceSegments"])
                for (const mode of ["no-cors", "cors"]) {
                  if (mode === "no-cors" && !["GET", "HEAD", "POST"].includes(method)) continue;
                  if (["GET", "HEAD"].includes(method) && type !== undefined) continue;
                  calls.push([method, type, path, mode]);
                }
          let done = 0;
          for (const [method, type, path, mode] of calls) {
            const body = ["GET", "HEAD"].includes(method) ? undefined : path.startsWith("/_fogwatch/clock") ? bodies.clock : path.startsWith("/_fogwatch/faults") ? bodies.rule2 : path.startsWith("/_fogwatch/keys") ? bodies.key : type?.includes("json") ? bodies.json : done % 2 ? bodies.metric : bodies.form;
            const headers = { ...(type ? { "Content-Type": type } : {}), ...(mode === "cors" ? { "X-Fogwatch-Console": "1", "X-Amz-Target": "Logs_20140328.CreateLogGroup", Authorization: scope } : {}) };
            try {
              const answer = await fetch(url + path, { method, mode, body, headers, credentials: "include" });
              if (answer.type !== "opaque") out.push(`${method} ${path} ${type} ${mode}: could be read, ${answer.status}`);
            } catch {
              // Refused, as it should be.
            }
            done++;
          }
          // Without script's fetch: forms, images, scripts, styles, frames, beacons, sockets.
          navigator.sendBeacon(url + "/", new Blob([bodies.form], { type: "application/x-www-form-urlencoded" }));
          navigator.sendBeacon(url + "/_fogwatch/reset", "{}");
          const wait = (element, add) =>
            new Promise((resolve) => {
              element.onload = () => resolve("load");
              element.onerror = () => resolve("error");
              add();
              setTimeout(() => resolve("nothing"), 1500);
            });
          for (const tag of ["img", "script", "iframe", "link", "embed"]) {
            const element = document.createElement(tag);
            if (tag === "link") element.rel = "stylesheet";
            element[tag === "link" ? "href" : "src"] = url + "/?" + form;
            await wait(element, () => document.body.append(element));
          }
          try {
            new WebSocket(url.replace("http", "ws") + "/?" + form);
          } catch {
            // Not even that.
          }
          const frame = document.createElement("iframe");
          frame.name = "sink";
          document.body.append(frame);
          for (const type of ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
            for (const target of ["/", "/_fogwatch/reset", "/_fogwatch/clock/advance", "/_fogwatch/login"]) {
              const element = document.createElement("form");
              Object.assign(element, { method: "POST", action: url + target, enctype: type, target: "sink" });
              for (const [key, value] of new URLSearchParams(bodies.form)) {
                const input = document.createElement("input");
                Object.assign(input, { name: key, value });
                element.append(input);
              }
              document.body.append(element);
              element.submit();
              await new Promise((r) => setTimeout(r, 60));
            }
          await new Promise((r) => setTimeout(r, 400));
          return { out, done };
        },
        [url, scope, form],
      );
      assert.deepEqual(results.out, []);
      assert.ok(results.done > 200, `${results.done} calls`);
      // A form that takes the whole window along.
      const top = await page.evaluate(([url, form]) => {
        const element = document.createElement("form");
        Object.assign(element, { method: "POST", action: url + "/" });
        for (const [key, value] of new URLSearchParams(form)) {
          const input = document.createElement("input");
          Object.assign(input, { name: key, value });
          element.append(input);
        }
        document.body.append(element);
        element.submit();
        return true;
      }, [url, form]);
      assert.ok(top);
      await page.waitForTimeout(400);
      await page.close();
      const cookies = (await t.context.cookies(t.site.url)).map((c) => `${c.name}=${c.value}`).join("; ");
      assert.ok(which === "dev" || cookies.includes("fogwatch_session"), "the victim is still signed in");
      const left = await traces(url, which === "site" ? cookies : "");
      assert.deepEqual(left, { topics: false, groups: false, faults: false, clock: false, metrics: false, keys: false });
    });

test("what the owner's own page may do, it may: the attack would be seen", async () => {
  const done = await t.page.evaluate(async (form) => (await fetch("/", { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded", "X-Fogwatch-Console": "1" }, body: form })).status, form);
  assert.equal(done, 200);
  const cookies = (await t.context.cookies(t.site.url)).map((c) => `${c.name}=${c.value}`).join("; ");
  assert.equal((await traces(t.site.url, cookies)).topics, true);
});

test("nobody frames the console or any other answer", async () => {
  const page = await t.context.newPage();
  await page.goto(`http://127.0.0.1:${t.port}/`);
  for (const path of ["/console/", "/", "/health", "/confirmation.html"]) {
    const shown = await page.evaluate(
      (src) =>
        new Promise((resolve) => {
          const frame = document.createElement("iframe");
          frame.src = src;
          frame.onload = () => {
            // A frame that was refused is an error page of the browser's own: neither readable nor empty of origin.
            resolve(true);
          };
          document.body.append(frame);
          setTimeout(() => resolve(false), 1500);
        }),
      t.site.url + path,
    );
    const frame = page.frames().at(-1);
    const text = shown ? await frame.evaluate(() => document.body?.innerText ?? "").catch(() => "") : "";
    assert.ok(!/Fogwatch|"status"|Sign in/.test(text), `${path} is framed: ${text.slice(0, 80)}`);
  }
  await page.close();
});

test("answers to a browser say that they are not to be framed, guessed at, or told about", async () => {
  for (const path of ["/", "/health", "/console/", "/_fogwatch/session", "/no-such-page"]) {
    const answer = await fetch(t.site.url + path, { headers: { "User-Agent": "Mozilla/5.0" }, redirect: "manual" });
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
    assert.match(answer.headers.get("content-security-policy"), /frame-ancestors 'none'/, path);
    assert.equal(answer.headers.get("referrer-policy"), "no-referrer", path);
    assert.equal(answer.headers.get("x-frame-options"), "DENY", path);
  }
});
