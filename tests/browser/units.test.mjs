// Parts of the console that need no browser; Node reads their TypeScript as it is.
import assert from "node:assert/strict";
import { test } from "node:test";

import { commandsOf, selectionOf, withCommand } from "../../web/src/api/query_text.ts";
import { alarmsOf, parseRule } from "../../web/src/pages/alarm_rule.ts";

test("a query is cut at its pipes only", () => {
  for (const [text, commands] of [
    ["fields @message | limit 5", ["fields @message", "limit 5"]],
    ['filter @message like "a|b" | limit 1', ['filter @message like "a|b"', "limit 1"]],
    ["filter @message like /a|b\\/c|d/ | stats count(*) by bin(5m)", ["filter @message like /a|b\\/c|d/", "stats count(*) by bin(5m)"]],
    ["filter `a|b` = 'x\\'|y'\n| sort a", ["filter `a|b` = 'x\\'|y'", "sort a"]],
    ["fields a / b | limit 1", ["fields a / b", "limit 1"]],
    ["fields a # note | x\n| limit 1", ["fields a", "limit 1"]],
    ['filter a = " # | b" | limit 1', ['filter a = " # | b"', "limit 1"]],
    ["# first\nfields a", ["fields a"]],
    ["parse @message /(?<n>\\d+)|x/ | limit 2", ["parse @message /(?<n>\\d+)|x/", "limit 2"]],
    ["fields x | filter a in [\"|\"] | limit 1", ["fields x", 'filter a in ["|"]', "limit 1"]],
    ["", []],
  ])
    assert.deepEqual(commandsOf(text), commands, text);
});

test("the selection of a query ends where it reshapes its rows", () => {
  for (const [text, selection] of [
    ["fields @message | filter level = 'E' | stats count(*) | filter n > 1", "fields @message | filter level = 'E'"],
    ["SOURCE '/a' | filter x | sort y", "SOURCE '/a' | filter x"],
    ["stats count(*)", ""],
    ["limit 5", ""],
  ])
    assert.equal(selectionOf(text), selection);
  assert.equal(withCommand("", "pattern @message"), "pattern @message");
  assert.equal(withCommand("filter a", "pattern @message"), "filter a | pattern @message");
});

test("composite rules have AWS's precedence and truth", () => {
  const states = { a: "ALARM", b: "OK", "c d": "INSUFFICIENT_DATA", 'q"q': "ALARM" };
  for (const [rule, truth] of [
    ["ALARM(a)", true], ["ALARM(b)", false], ["OK(b) AND ALARM(a)", true], ['INSUFFICIENT_DATA("c d")', true], ["NOT ALARM(a)", false], ["TRUE", true], ["FALSE OR NOT FALSE", true],
    ["ALARM(b) AND ALARM(b) OR ALARM(a)", true], ["ALARM(b) AND (ALARM(b) OR ALARM(a))", false], ["not (alarm(b) or alarm(\"arn:aws:cloudwatch:us-east-1:1:alarm:b\"))", true],
    ["AT_LEAST(2, ALARM, (a, b, 'q\"q'))", true], ["AT_LEAST(50%, NOT OK, (a, b, \"c d\", b))", true], ["AT_LEAST(3, OK, (a, b, b))", false], ['ALARM("q\\"q")', true], ["ALARM(missing)", false],
  ]) {
    const tree = parseRule(rule);
    assert.ok(tree, rule);
    assert.equal(tree.truth((name) => states[name]), truth, rule);
  }
  for (const rule of ["", "ALARM(", "ALARM a", "ALARM(a) ALARM(b)", "AND", "(", "NOT", '"x', "AT_LEAST(1, ALARM, ())", "(".repeat(1000)]) assert.equal(parseRule(rule), undefined, rule);
  assert.deepEqual(alarmsOf(parseRule("ALARM(a) OR OK(b) AND ALARM(a)")), ["a", "b"]);
});
