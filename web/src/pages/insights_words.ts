// What the Insights editor completes: commands and functions with a word of explanation.
import type { Completion } from "@codemirror/autocomplete";

const commands: [string, string][] = [
  ["fields", "show or compute fields"], ["display", "fields of the result"], ["filter", "keep matching events"], ["stats", "aggregate, by fields and bin"],
  ["sort", "order the rows"], ["limit", "number of rows"], ["parse", "take fields out of text: glob or regex"], ["dedup", "one row for each value"],
  ["pattern", "cluster text into patterns"], ["diff", "compare with an earlier time"], ["unmask", "show protected data"], ["unnest", "a row for each list item"],
  ["filterIndex", "only groups indexed by the field"], ["SOURCE", "choose log groups by prefix"], ["anomaly", "unusual patterns"], ["lookup", "add fields of a lookup table"],
];
const functions: [string, string][] = [
  ["count", "number of events"], ["count_distinct", "number of distinct values"], ["sum", ""], ["avg", ""], ["min", ""], ["max", ""], ["pct", "percentile: pct(field, 99)"], ["stddev", ""],
  ["earliest", "value of the earliest event"], ["latest", "value of the latest event"], ["sortsFirst", ""], ["sortsLast", ""], ["bin", "time slots: bin(5m)"], ["datefloor", ""], ["dateceil", ""],
  ["fromMillis", ""], ["toMillis", ""], ["now", ""], ["abs", ""], ["ceil", ""], ["floor", ""], ["greatest", ""], ["least", ""], ["log", ""], ["sqrt", ""], ["isempty", ""], ["isblank", ""], ["ispresent", ""],
  ["concat", ""], ["coalesce", "the first that is there"], ["ltrim", ""], ["rtrim", ""], ["trim", ""], ["strlen", ""], ["toupper", ""], ["tolower", ""], ["substr", ""], ["replace", ""], ["strcontains", ""],
  ["jsonParse", ""], ["jsonStringify", ""], ["isValidIp", ""], ["isIpInSubnet", ""], ["isIpv4InSubnet", ""],
];
const others = ["by", "as", "asc", "desc", "and", "or", "not", "in", "like", "case", "when", "then", "else", "end"];

export const words: Completion[] = [
  ...commands.map(([label, detail]): Completion => ({ label, detail, type: "keyword", boost: 2 })),
  ...functions.map(([label, detail]): Completion => ({ label, detail, type: "function", apply: label + "(" })),
  ...others.map((label): Completion => ({ label, type: "keyword" })),
];

export const samples: [string, string][] = [
  ["Newest events", "fields @timestamp, @message\n| sort @timestamp desc\n| limit 100"],
  ["Errors", "fields @timestamp, @logStream, @message\n| filter @message like /(?i)error|exception|fatal/\n| sort @timestamp desc\n| limit 100"],
  ["Events over time", "stats count(*) as events by bin(5m)"],
  ["Latency by model", "filter ispresent(latency_ms)\n| stats avg(latency_ms) as avg, pct(latency_ms, 99) as p99, count(*) as n by model\n| sort p99 desc"],
  ["Loudest streams", "stats count(*) as events by @logStream\n| sort events desc\n| limit 20"],
  ["Lambda memory", 'filter @type = "REPORT"\n| stats max(@maxMemoryUsed / 1000 / 1000) as usedMB, max(@memorySize / 1000 / 1000) as sizeMB, avg(@duration) as avg_ms by bin(1h)'],
  ["Patterns", "pattern @message"],
];
