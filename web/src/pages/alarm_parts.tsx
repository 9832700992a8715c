// What the list, the page and the form of alarms share.
import { useMemo } from "preact/hooks";

import { describeAlarms, type Alarm } from "../api/alarms";
import { href } from "../app/router";
import { refreshTick } from "../app/time";
import { Badge, formatNumber, Problem } from "../ui/basic";
import { useLoad } from "../ui/load";
import { alarmsOf, parseRule, type RuleNode } from "./alarm_rule";
import type { Row } from "./metric_data";

export const signs: Record<string, string> = { GreaterThanThreshold: ">", GreaterThanOrEqualToThreshold: "≥", LessThanThreshold: "<", LessThanOrEqualToThreshold: "≤", GreaterThanUpperThreshold: "> band", LessThanLowerThreshold: "< band", LessThanLowerOrGreaterThanUpperThreshold: "outside band" };

export function condition(a: Alarm): string {
  if (a.AlarmRule !== undefined) return a.AlarmRule;
  if (a.ThresholdMetricId) return `${a.Metrics?.find((m) => m.MetricStat)?.MetricStat?.Metric.MetricName ?? "metric"} ${signs[a.ComparisonOperator ?? ""] ?? ""} for ${a.DatapointsToAlarm ?? a.EvaluationPeriods} of ${a.EvaluationPeriods}`;
  const query = a.ScheduledQueryConfiguration;
  if (query) return `${query.QueryString} ${signs[a.ComparisonOperator ?? ""] ?? ""} ${a.Threshold ?? ""} in ${a.QueryResultsToAlarm ?? 1} of ${a.QueryResultsToEvaluate ?? 1} runs`;
  const what = a.MetricName ? `${a.Statistic ?? a.ExtendedStatistic ?? ""} ${a.MetricName}` : (a.Metrics?.find((m) => m.ReturnData !== false)?.Expression ?? "metrics");
  return `${what} ${signs[a.ComparisonOperator ?? ""] ?? a.ComparisonOperator ?? ""} ${a.Threshold ?? ""} for ${a.DatapointsToAlarm ?? a.EvaluationPeriods} of ${a.EvaluationPeriods} × ${a.Period ?? a.Metrics?.find((m) => m.MetricStat)?.MetricStat?.Period ?? "?"} s`;
}

// What GetMetricData must be asked to see what the alarm sees.
export function rowsOf(a: Alarm): Row[] {
  if (a.MetricName && a.Namespace)
    return [{ id: "m1", metric: { Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions ?? [] }, stat: a.Statistic ?? a.ExtendedStatistic ?? "Average", ...(a.Period ? { period: a.Period } : {}) }];
  return (a.Metrics ?? []).map((m) => ({
    id: m.Id,
    ...(m.MetricStat ? { metric: m.MetricStat.Metric, stat: m.MetricStat.Stat, period: m.MetricStat.Period } : { expression: m.Expression ?? "", ...(m.Period ? { period: m.Period } : {}) }),
    ...(m.Label ? { label: m.Label } : {}),
    hidden: m.ReturnData === false,
  }));
}

// A composite rule as a tree, with the present truth of every part.
export function RuleTree({ rule }: { rule: string }) {
  const root = useMemo(() => parseRule(rule), [rule]);
  const names = useMemo(() => (root ? alarmsOf(root) : []), [root]);
  const children = useLoad(async (s) => {
    if (!names.length) return [];
    return (await describeAlarms({ AlarmNames: names.slice(0, 100) }, s)).items;
  }, [rule, refreshTick.value]);
  const stateOf = (name: string) => children.value?.find((c) => c.AlarmName === name)?.StateValue;
  const branch = (node: RuleNode) => {
    const truth = node.truth(stateOf);
    return (
      <li>
        <span class="row tight">
          <Badge tone={truth ? "bad" : "idle"}>{truth ? "true" : "false"}</Badge> <b>{node.text}</b>
          {node.alarm !== undefined && <><a href={href(["alarms", node.alarm])}>{node.alarm}</a> <small>is {stateOf(node.alarm)?.replace("_", " ") ?? "missing"}</small></>}
        </span>
        {node.parts.length > 0 && <ul>{node.parts.map(branch)}</ul>}
      </li>
    );
  };
  return (
    <>
      <pre class="raw" tabIndex={0}>{rule}</pre>
      {root ? <ul class="rule-tree">{branch(root)}</ul> : <p class="soft">This is not a rule yet.</p>}
      {children.error && <Problem error={children.error} />}
      {names.length > 100 && <small>{formatNumber(names.length)} alarms, the first 100 are looked up.</small>}
    </>
  );
}
