// A console with a sign-in: the way in and out, what each may do there, keys and policies.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { fixture, test } from "./fixture.mjs";
import { password, startSite } from "./server.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const t = fixture(1280, startSite);

async function signIn(user = "ann", word = password) {
  await t.page.getByLabel("User").fill(user);
  await t.page.getByLabel("Password").fill(word);
  await t.button("Sign in").click();
}
async function heading(text) {
  await t.page.locator("h1", { hasText: text }).waitFor();
}
async function accessible(where) {
  await t.page.evaluate(axe);
  const found = await t.page.evaluate(() => axe.run(document, { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa"] } }));
  assert.deepEqual(found.violations.map((v) => `${where} ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
  const over = await t.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${where} is ${over} px too wide`);
}
// A browser reports every answer above 399; nothing else may have gone wrong.
const noErrors = () => assert.deepEqual(t.errors.splice(0).filter((e) => !/status of 4\d\d/.test(e)), []);

test("before one signs in there is only the way in, in both themes and narrow", async () => {
  for (const width of [1280, 390])
    for (const colorScheme of ["light", "dark"]) {
      await t.page.setViewportSize({ width, height: 860 });
      await t.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await t.open("alarms");
      await heading("Sign in");
      assert.equal(await t.page.locator("nav").count(), 0);
      assert.ok(await t.page.getByLabel("User").evaluate((e) => e === document.activeElement), "the first field has the focus");
      await accessible(`sign-in ${colorScheme} ${width}`);
    }
  await t.page.setViewportSize({ width: 1280, height: 860 });
  assert.deepEqual(t.errors.splice(0), []);
});

test("a wrong password is said, and the right one leads to the page that was asked for", async () => {
  await t.open("topics");
  await signIn("ann", "wrong password");
  await t.page.getByRole("alert").getByText("no such user with this password").waitFor();
  await accessible("sign-in refused");
  assert.equal(await t.page.getByLabel("Password").inputValue(), "");
  await signIn();
  await heading("Topics");
  assert.match(t.page.url(), /#\/topics/);
  const cookies = await t.page.context().cookies();
  assert.deepEqual(cookies.map((c) => [c.name, c.httpOnly, c.sameSite]), [["fogwatch_session", true, "Strict"]]);
  assert.equal(await t.page.evaluate(() => document.cookie), "");
  noErrors();
});

test("the console works as its user, and the account is the user's", async () => {
  await t.button("Create topic").click();
  await t.page.getByRole("dialog").getByRole("textbox").first().fill("made-by-ann");
  await t.page.getByRole("dialog").locator("button.primary, button[type=submit]").last().click();
  await t.page.getByRole("link", { name: "made-by-ann" }).waitFor();
  await t.page.getByRole("link", { name: "made-by-ann" }).click();
  await t.page.getByText("arn:aws:sns:us-east-1:123456789012:made-by-ann").first().waitFor();
  assert.equal(await t.page.getByRole("textbox", { name: "Account" }).count(), 0);
  for (const name of ["overview", "metrics", "logs/groups", "traces", "requests", "faults", "storage", "settings"]) {
    await t.open(name);
    await t.page.waitForTimeout(150);
    assert.equal(await t.page.locator(".problem").count(), 0, name);
  }
  assert.deepEqual(t.errors.splice(0), []);
});

test("a key is made, its secret shown once, its policy changed and checked, and it is revoked", async () => {
  await t.open("keys");
  await t.button("Add key").click();
  const dialog = t.page.getByRole("dialog");
  await dialog.getByLabel(/^Name/).fill("etcher");
  await dialog.getByLabel(/^Begin with/).selectOption({ label: "Logs below one prefix" });
  await accessible("add key");
  await dialog.getByRole("button", { name: "Add key" }).click();
  const secret = t.page.getByRole("dialog", { name: "The key's secret, this once" });
  await secret.getByText(/AWS_SECRET_ACCESS_KEY=[0-9a-f]{40}/).waitFor();
  await accessible("secret");
  await t.page.keyboard.press("Escape");
  await t.page.getByRole("button", { name: "Policies of etcher" }).click();
  const text = dialog.getByRole("textbox");
  assert.match(await text.inputValue(), /my-service/);
  for (const [wrong, says] of [["{", /not JSON/], ["{}", /no Statement/], ['{"Statement": {"Effect": "Perhaps", "Action": "*", "Resource": "*"}}', /policy 1/]]) {
    await text.fill(wrong);
    await t.button("Save").click();
    await dialog.getByRole("alert").getByText(says).waitFor();
  }
  await accessible("policy with a fault");
  await text.fill('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}');
  await t.button("Save").click();
  await t.page.getByText("Policies saved").waitFor();
  await t.page.getByRole("row", { name: /etcher/ }).getByText("everything").waitFor();
  for (const colorScheme of ["light", "dark"])
    for (const width of [1280, 390]) {
      await t.page.setViewportSize({ width, height: 860 });
      await t.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await t.open("keys");
      await t.page.getByRole("row", { name: /etcher/ }).waitFor();
      await accessible(`keys ${colorScheme} ${width}`);
    }
  await t.page.setViewportSize({ width: 1280, height: 860 });
  await t.page.getByRole("row", { name: /etcher/ }).getByRole("button", { name: /^Revoke/ }).click();
  await t.page.getByRole("dialog", { name: "Are you sure?" }).getByRole("button", { name: "Revoke" }).click();
  await t.page.getByText("Key revoked").waitFor();
  await t.page.getByRole("row", { name: /etcher/ }).waitFor({ state: "detached" });
  noErrors();
});

test("people are added, and what one may not do is said", async () => {
  await t.open("keys?tab=users");
  await t.page.getByRole("row", { name: /bob/ }).waitFor();
  await accessible("people");
  await t.page.locator("summary", { hasText: "ann" }).click();
  await accessible("account menu");
  await t.button("Sign out").click();
  await heading("Sign in");
  assert.deepEqual(await t.page.context().cookies(), []);
  await signIn("bob");
  await heading("Keys and policies");
  await t.open("settings");
  await t.button("Freeze").click();
  await t.page.getByText("is not authorized to perform: fogwatch:PutClock").waitFor();
  noErrors();
});

test("a session that is over leads to the way in and back to the page", async () => {
  await t.open("requests");
  await heading("Requests");
  await t.page.context().clearCookies();
  await t.page.getByRole("link", { name: "Faults" }).click();
  await heading("Sign in");
  assert.match(t.page.url(), /#\/faults/);
  await signIn();
  await heading("Faults");
  // Another tab that signs out takes this one along at its next call.
  const other = await t.page.context().newPage();
  await other.goto(`${t.server.url}/console/#/overview`);
  await other.locator("summary", { hasText: "ann" }).click();
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.locator("h1", { hasText: "Sign in" }).waitFor();
  await other.close();
  await t.page.getByRole("link", { name: "Outbox" }).click();
  await heading("Sign in");
  await signIn();
  await heading("Outbox");
  noErrors();
});
