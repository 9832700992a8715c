// Alarms of every type as one kind of thing.
import type { Dimension, Metric } from "../pages/metric_data";
import { cloudwatch, pages } from "./client";

export interface Alarm {
  AlarmName: string;
  AlarmArn: string;
  AlarmDescription?: string;
  ActionsEnabled?: boolean;
  AlarmActions?: string[];
  OKActions?: string[];
  InsufficientDataActions?: string[];
  StateValue: "OK" | "ALARM" | "INSUFFICIENT_DATA";
  StateReason?: string;
  StateReasonData?: string;
  StateUpdatedTimestamp?: number;
  StateTransitionedTimestamp?: number;
  AlarmRule?: string;
  Namespace?: string;
  MetricName?: string;
  Dimensions?: Dimension[];
  Statistic?: string;
  ExtendedStatistic?: string;
  Period?: number;
  EvaluationPeriods?: number;
  DatapointsToAlarm?: number;
  Threshold?: number;
  ComparisonOperator?: string;
  TreatMissingData?: string;
  ThresholdMetricId?: string;
  Unit?: string;
  // Of a log alarm.
  ScheduledQueryConfiguration?: { QueryString?: string; LogGroupIdentifiers?: string[]; AggregationExpression?: string; ScheduleConfiguration?: { ScheduleExpression?: string } };
  QueryResultsToEvaluate?: number;
  QueryResultsToAlarm?: number;
  Metrics?: { Id: string; Expression?: string; Label?: string; ReturnData?: boolean; Period?: number; MetricStat?: { Metric: Metric; Period: number; Stat: string } }[];
}

export const alarmTypes = ["MetricAlarm", "CompositeAlarm", "LogAlarm"];

export async function describeAlarms(input: Record<string, unknown>, signal?: AbortSignal): Promise<{ items: Alarm[]; next?: string | undefined }> {
  const page = await cloudwatch<{ MetricAlarms?: Alarm[]; CompositeAlarms?: Alarm[]; LogAlarms?: Alarm[]; NextToken?: string }>("DescribeAlarms", { AlarmTypes: alarmTypes, MaxRecords: 100, ...input }, signal);
  return { items: [...(page.MetricAlarms ?? []), ...(page.CompositeAlarms ?? []), ...(page.LogAlarms ?? [])], next: page.NextToken };
}

export const allAlarms = (signal?: AbortSignal): Promise<Alarm[]> => pages((token) => describeAlarms({ NextToken: token }, signal));
