// Logs Insights: editor, group picker, progress while running, histogram, fields, table, chart,
// patterns, JSON, and what the query cost.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { ApiError, logs } from "../api/client";
import { isRunning, runQuery, type QueryState, type ResultRow } from "../api/query";
import { selectionOf, withCommand } from "../api/query_text";
import { param, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatDuration, formatTime, periodFor, range } from "../app/time";
import { Badge, Card, Command, cli, Dialog, Empty, formatBytes, formatNumber, Page, Problem, quote, Search, Tabs } from "../ui/basic";
import { Chart, type Series } from "../ui/chart";
import { QueryEditor } from "../ui/lazy_editor";
import { asApiError, useLoad } from "../ui/load";
import { download, ListTable, Table, toCsv, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { EventDialog } from "./event_dialog";
import { GroupPicker } from "./group_picker";
import { chartSeries, resultTime, shown } from "./insights_chart";
import { samples, words } from "./insights_words";
import { History, remember, Saved } from "./saved_queries";

// The place of a syntax error, from the compile error's location.
function errorPlace(error: ApiError | undefined, text: string) {
  if (!error) return undefined;
  const location = (error.body as { queryCompileError?: { location?: { startCharOffset?: number; endCharOffset?: number } } } | undefined)?.queryCompileError?.location;
  if (location?.startCharOffset !== undefined) return { from: location.startCharOffset, to: location.endCharOffset ?? location.startCharOffset + 1, message: error.message };
  return error.code === "MalformedQueryException" ? { from: 0, to: text.length, message: error.message } : undefined;
}

const views = [["table", "Table"], ["chart", "Chart"], ["patterns", "Patterns"], ["raw", "JSON"], ["explain", "Explain"]] as const;
type View = (typeof views)[number][0];
const barSeconds = (from: number, to: number) => periodFor({ from, to }, 80);

export default function Insights() {
  const query = param("q", samples[0]![1]).value;
  const groupText = param("groups").value;
  const groups = useMemo(() => (groupText ? groupText.split("\n") : []), [groupText]);
  const view = (param("view", "table").value || "table") as View;
  const [text, setText] = useState(query);
  const [state, setState] = useState<QueryState>();
  const [error, setError] = useState<ApiError>();
  const [detail, setDetail] = useState<ResultRow>();
  const [stored, setStored] = useState(0); // bytes in the chosen groups: what a full scan reads
  const [ran, setRan] = useState({ text: query, from: 0, to: 0 });
  const [bars, setBars] = useState<Series[]>([]);
  const current = useRef<AbortController>(undefined);
  useEffect(() => setText(query), [query]);

  const fields = useLoad(async (s) => {
    if (!groups[0]) return [];
    const found = await logs<{ logGroupFields?: { name?: string; percent?: number }[] }>("GetLogGroupFields", { logGroupName: groups[0], time: Math.floor(range.value.to / 1000) }, s);
    return found.logGroupFields ?? [];
  }, [groups[0], region.value, account.value]);

  const execute = async (what: string) => {
    remember(what);
    current.current?.abort();
    const mine = (current.current = new AbortController());
    const { from, to } = range.value;
    setError(undefined);
    setState({ id: "", status: "Scheduled", rows: [], columns: [], statistics: {}, ms: 0 });
    setRan({ text: what, from, to });
    void storedBytes(groups, mine.signal).then((n) => !mine.signal.aborted && setStored(n), () => setStored(0));
    try {
      await runQuery({ groups, from, to, text: what }, mine.signal, (now) => !mine.signal.aborted && setState(now));
      const slots = await runQuery({ groups, from, to, text: withCommand(selectionOf(what), `stats count(*) as events by bin(${barSeconds(from, to)}s) as slot`) }, mine.signal).catch(() => undefined);
      if (slots && !mine.signal.aborted) setBars(chartSeries(slots));
    } catch (e) {
      if (mine.signal.aborted) return;
      setState(undefined);
      setError(asApiError(e));
    }
  };
  useEffect(() => () => current.current?.abort(), []);
  const stop = () => state && attempt("Query stopped", () => logs("StopQuery", { queryId: state.id }));
  // The address decides what runs: a link, a step back, a brushed range, or the Run button.
  const [round, setRound] = useState(0);
  const start = () => (text === query ? setRound((n) => n + 1) : setParams({ q: text }, true));
  const rangeKey = param("range", "1h").value;
  useEffect(() => {
    if (groups.length || /^\s*SOURCE\b/i.test(query)) void execute(query);
  }, [query, round, groupText, rangeKey, region.value, account.value]);

  const running = isRunning(state);
  const series = useMemo(() => (state ? chartSeries(state) : []), [state]);
  const place = useMemo(() => errorPlace(error, text), [error]);
  const names = useMemo(() => (fields.value ?? []).map((f) => f.name ?? ""), [fields.value]);
  const add = (piece: string) => setText((old) => old.trimEnd() + "\n| " + piece);
  return (
    <Page
      title="Logs Insights"
      actions={
        <>
          <select aria-label="Sample queries" onChange={(e) => { const sample = samples.find(([name]) => name === e.currentTarget.value); if (sample) setText(sample[1]); e.currentTarget.value = ""; }}>
            <option value="">Samples</option>
            {samples.map(([name]) => <option value={name}>{name}</option>)}
          </select>
          <History onChoose={setText} />
          <Saved text={text} groups={groups} onChoose={(q, g) => { setText(q); if (g.length) setParams({ groups: g.join("\n") }); }} />
        </>
      }
    >
      <Card>
        <div class="row">
          <GroupPicker chosen={groups} onChange={(chosen) => setParams({ groups: chosen.join("\n") })} />
        </div>
        <QueryEditor label="Logs Insights query" text={text} onChange={setText} onRun={start} keywords={words} fields={names} error={place} hint="fields @timestamp, @message | limit 100" />
        <div class="row run-row">
          <button class="primary" onClick={start} disabled={running}>Run</button>
          <button onClick={() => void stop()} disabled={!running || !state?.id}>Stop</button>
          <small>Ctrl-Enter runs</small>
          <span class="grow" />
          {state && <Progress state={state} stored={stored} />}
        </div>
      </Card>
      {error && <Problem error={error} />}
      {groups.length === 0 && !state && (
        <Card>
          <Empty title="Choose one or more log groups, or begin the query with SOURCE." command={cli("logs create-log-group --log-group-name /demo") + "\n" + cli("logs create-log-stream --log-group-name /demo --log-stream-name one") + "\n" + cli(`logs put-log-events --log-group-name /demo --log-stream-name one --log-events timestamp=$(date +%s000),message='{"level":"INFO","latency_ms":12}'`)} />
        </Card>
      )}
      {state && bars.length > 0 && (
        <Card class="bars">
          <Chart label="Events" series={bars} from={ran.from} to={ran.to} height={104} kind="bars" small />
        </Card>
      )}
      {state && (
        <div class="grid two">
          <FieldList fields={fields.value ?? []} state={state} onAdd={add} />
          <Card
            title={<Tabs tabs={views.map(([id, title]) => [id, id === "table" ? `Table (${formatNumber(state.rows.length)})` : title] as const)} at={view} onChange={(v) => setParams({ view: v }, true)} />}
            actions={
              <>
                <button onClick={() => download("insights.csv", "text/csv", toCsv(shown(state), state.rows.map((r) => shown(state).map((c) => r[c]))))}>CSV</button>
                <button onClick={() => download("insights.json", "application/json", JSON.stringify(state.rows, null, 2))}>JSON</button>
                <button onClick={() => download("insights.md", "text/markdown", markdown(state))}>Markdown</button>
                <CliOf text={text} groups={groups} />
              </>
            }
          >
            {view === "table" && <ResultTable state={state} onRow={setDetail} />}
            {view === "chart" &&
              (series.length ? (
                <Chart label="Result over time" series={series} from={ran.from} to={ran.to} height={340} kind={series.length > 1 && /\b(count|sum)\b/.test(ran.text) ? "stacked" : "line"} />
              ) : (
                <Empty title="A chart needs a number over time" command="stats count(*) by bin(5m)" />
              ))}
            {view === "patterns" && <Patterns groups={groups} ran={ran} onAdd={add} />}
            {view === "raw" && <pre class="raw" tabIndex={0}>{JSON.stringify(state.rows.slice(0, 300), null, 2)}</pre>}
            {view === "explain" && <Explain state={state} text={ran.text} />}
          </Card>
        </div>
      )}
      {detail && <EventDialog row={detail} onClose={() => setDetail(undefined)} onFilter={(f, v) => { add(`filter \`${f}\` = ${JSON.stringify(v)}`); setDetail(undefined); }} />}
    </Page>
  );
}

async function storedBytes(groups: string[], signal: AbortSignal): Promise<number> {
  const all = await Promise.all(groups.slice(0, 20).map((name) => logs<{ logGroups?: { logGroupName: string; storedBytes?: number }[] }>("DescribeLogGroups", { logGroupNamePrefix: name }, signal)));
  return all.reduce((n, page, i) => n + (page.logGroups?.find((g) => g.logGroupName === groups[i])?.storedBytes ?? 0), 0);
}

// Status and counters; the bar is the share of the groups' bytes read or skipped so far.
function Progress({ state, stored }: { state: QueryState; stored: number }) {
  const s = state.statistics;
  const running = isRunning(state);
  const read = (s.bytesScanned ?? 0) + (s.estimatedBytesSkipped ?? 0);
  const share = stored > 0 ? Math.min(0.99, read / stored) : undefined;
  return (
    <>
      <span role="status" aria-live="polite" class="soft">
        <Badge tone={state.status === "Complete" ? "ok" : running ? "info" : "bad"}>{state.status}</Badge> {formatNumber(s.recordsMatched ?? 0)} matched of {formatNumber(s.recordsScanned ?? 0)} scanned, {formatBytes(s.bytesScanned ?? 0)}, {formatDuration(Math.max(1, state.ms))}
      </span>
      {running && <progress aria-label="Query running" {...(share === undefined || read === 0 ? {} : { value: share })} />}
    </>
  );
}

function Explain({ state, text }: { state: QueryState; text: string }) {
  const s = state.statistics;
  const skipped = s.estimatedRecordsSkipped ?? 0;
  const rows: [string, string][] = [
    ["Log groups read", formatNumber(s.logGroupsScanned ?? 0)],
    ["Events read", formatNumber(s.recordsScanned ?? 0)],
    ["Events matched", formatNumber(s.recordsMatched ?? 0)],
    ["Bytes read", formatBytes(s.bytesScanned ?? 0)],
    ["Events skipped by indexes", skipped ? `${formatNumber(skipped)} (${formatBytes(s.estimatedBytesSkipped ?? 0)})` : "none"],
    ["Time", formatDuration(Math.max(1, state.ms))],
    ["Speed", state.ms > 0 ? `${formatNumber(Math.round(((s.recordsScanned ?? 0) / state.ms) * 1000))} events a second` : "–"],
    ["What chooses the events", selectionOf(text) || "all events of the groups and the time"],
    ["Query id", state.id],
  ];
  return <table class="event"><tbody>{rows.map(([k, v]) => <tr><th scope="row">{k}</th><td class="wrap">{v}</td></tr>)}</tbody></table>;
}

// The messages that the query chooses, clustered.
function Patterns({ groups, ran, onAdd }: { groups: string[]; ran: { text: string; from: number; to: number }; onAdd: (piece: string) => void }) {
  const found = useLoad((s) => runQuery({ groups, from: ran.from, to: ran.to, text: withCommand(selectionOf(ran.text), "pattern @message") }, s), [ran, groups]);
  const regex = (pattern: string) => pattern.split(/<[A-Za-z]+-?\d*>/).map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join(".*");
  const columns: Column<ResultRow>[] = [
    { id: "ratio", title: "Share", numeric: true, value: (r) => Number(r["@ratio"]), cell: (r) => (Number(r["@ratio"]) * 100).toFixed(1) + " %", width: "80px" },
    { id: "count", title: "Events", numeric: true, value: (r) => Number(r["@sampleCount"]), cell: (r) => formatNumber(Number(r["@sampleCount"])), width: "80px" },
    { id: "severity", title: "Severity", value: (r) => r["@severityLabel"], cell: (r) => <Badge tone={/err|fatal|crit/i.test(r["@severityLabel"] ?? "") ? "bad" : /warn/i.test(r["@severityLabel"] ?? "") ? "warn" : "idle"}>{r["@severityLabel"] || "none"}</Badge>, width: "90px" },
    { id: "pattern", title: "Pattern", value: (r) => r["@pattern"], cell: (r) => <span class="mono" title={r["@pattern"]}>{r["@pattern"]}</span> },
    { id: "only", title: "", value: () => "", cell: (r) => <button onClick={() => onAdd(`filter @message like /${regex(r["@pattern"] ?? "")}/`)}>Only these</button> },
  ];
  return (
    <>
      {found.error && <Problem error={found.error} />}
      {found.loading && <p class="none">Reading…</p>}
      {found.value && <ListTable name="patterns" param="pf" label="Patterns" columns={columns} rows={found.value.rows} rowKey={(_r, i) => String(i)} sort={{ by: "count", down: true }} />}
    </>
  );
}

function markdown(state: QueryState): string {
  const cell = (text: string | undefined) => (text ?? "").replaceAll("|", "\\|").replaceAll("\n", " ");
  const columns = shown(state);
  return ["| " + columns.map(cell).join(" | ") + " |", "|" + columns.map(() => "---").join("|") + "|", ...state.rows.map((r) => "| " + columns.map((c) => cell(r[c])).join(" | ") + " |")].join("\n") + "\n";
}

const columnsShown = 60;

function ResultTable({ state, onRow }: { state: QueryState; onRow: (row: ResultRow) => void }) {
  const columns = useMemo(
    () =>
      shown(state).slice(0, columnsShown).map((name): Column<ResultRow> => {
        const numeric = state.rows.slice(0, 50).every((r) => r[name] === undefined || Number.isFinite(Number(r[name])));
        return {
          id: name,
          title: name,
          numeric,
          value: (r) => (r[name] === undefined ? undefined : numeric ? Number(r[name]) : r[name]),
          cell: (r) => (name === "@timestamp" ? <span class="mono">{formatTime(resultTime(r[name]))}</span> : name === "@message" ? <span class="mono">{r[name]?.slice(0, 1000)}</span> : r[name]?.slice(0, 1000)),
        };
      }),
    [state],
  );
  const more = shown(state).length - columnsShown;
  return (
    <>
      {more > 0 && <p class="soft">{formatNumber(more)} more columns are not drawn; CSV and JSON have them.</p>}
      <Table label="Query result" columns={columns} rows={state.rows} rowKey={(_r, i) => String(i)} onRow={onRow} />
    </>
  );
}

function FieldList({ fields, state, onAdd }: { fields: { name?: string; percent?: number }[]; state: QueryState; onAdd: (piece: string) => void }) {
  const [open, setOpen] = useState<string>();
  const [find, setFind] = useState("");
  const names = fields.length ? fields : state.columns.map((name) => ({ name, percent: undefined }));
  const top = (name: string) => {
    const counts = new Map<string, number>();
    for (const row of state.rows) if (row[name] !== undefined) counts.set(row[name]!, (counts.get(row[name]!) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8);
  };
  return (
    <Card title="Fields" class="fields">
      {names.length > 12 && <Search label="Find a field" value={find} onInput={setFind} />}
      <ul class="plain">
        {names.filter((f) => f.name && f.name !== "@ptr" && f.name.toLowerCase().includes(find.toLowerCase())).slice(0, 300).map((f) => (
          <li>
            <button class="link" aria-expanded={open === f.name} onClick={() => setOpen(open === f.name ? undefined : f.name)}>{f.name}</button>{" "}
            {f.percent !== undefined && <small>{f.percent} %</small>}
            {open === f.name && (
              <div class="field-detail">
                {top(f.name!).map(([value, n]) => (
                  <button class="link" title="Filter by this value" onClick={() => onAdd(`filter \`${f.name}\` = ${JSON.stringify(value)}`)}>
                    {value.slice(0, 60) || "(empty)"} <small>{n}</small>
                  </button>
                ))}
                <button class="link" onClick={() => onAdd(`stats count(*) as n by \`${f.name}\` | sort n desc`)}>Count by {f.name}</button>
              </div>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function CliOf({ text, groups }: { text: string; groups: string[] }) {
  const [open, setOpen] = useState(false);
  const { from, to } = range.value;
  return (
    <>
      <button onClick={() => setOpen(true)}>CLI</button>
      {open && (
        <Dialog title="The same by AWS CLI" onClose={() => setOpen(false)} wide>
          <Command text={cli(`logs start-query --log-group-names ${groups.map(quote).join(" ")} --start-time ${Math.floor(from / 1000)} --end-time ${Math.ceil(to / 1000)} --query-string ${quote(text)}`) + "\n" + cli("logs get-query-results --query-id ID")} />
        </Dialog>
      )}
    </>
  );
}

