// Logs Insights: editor, group picker, progress while running, fields, table, chart, patterns.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { ApiError, logs } from "../api/client";
import { href, param, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { formatTime, range } from "../app/time";
import { Badge, Card, Command, cli, Dialog, Empty, formatBytes, formatNumber, Page, Problem, quote, Tabs } from "../ui/basic";
import { Chart, type Series } from "../ui/chart";
import { QueryEditor } from "../ui/lazy_editor";
import { asApiError, useLoad } from "../ui/load";
import { download, Table, toCsv, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { GroupPicker } from "./group_picker";
import { samples, words } from "./insights_words";

type ResultRow = Record<string, string>;
interface QueryState {
  status: string;
  rows: ResultRow[];
  columns: string[];
  statistics?: { recordsMatched?: number; recordsScanned?: number; bytesScanned?: number };
  ms: number;
}
interface Results {
  status: string;
  results: { field: string; value: string }[][];
  statistics?: QueryState["statistics"];
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const finished = new Set(["Complete", "Failed", "Cancelled", "Timeout"]);

function read(answer: Results, started: number): QueryState {
  const columns: string[] = [];
  const rows = answer.results.map((cells) => {
    const row: ResultRow = {};
    for (const { field, value } of cells) {
      row[field] = value;
      if (!columns.includes(field)) columns.push(field);
    }
    return row;
  });
  return { status: answer.status, rows, columns, ...(answer.statistics ? { statistics: answer.statistics } : {}), ms: performance.now() - started };
}

// The place of a syntax error, from the message or the compile error's location.
function errorPlace(error: ApiError | undefined, text: string) {
  if (!error) return undefined;
  const location = (error.body as { queryCompileError?: { location?: { startCharOffset?: number; endCharOffset?: number } } } | undefined)?.queryCompileError?.location;
  if (location?.startCharOffset !== undefined) return { from: location.startCharOffset, to: location.endCharOffset ?? location.startCharOffset + 1, message: error.message };
  return error.code === "MalformedQueryException" ? { from: 0, to: text.length, message: error.message } : undefined;
}

const defaultQuery = samples[0]![1];

export default function Insights() {
  const query = param("q", defaultQuery).value;
  const groupText = param("groups").value;
  const groups = useMemo(() => (groupText ? groupText.split("\n") : []), [groupText]);
  const view = (param("view", "table").value || "table") as "table" | "chart" | "patterns" | "raw";
  const [text, setText] = useState(query);
  const [state, setState] = useState<QueryState>();
  const [error, setError] = useState<ApiError>();
  const [running, setRunning] = useState<string>();
  const [detail, setDetail] = useState<ResultRow>();
  const run = useRef(0);
  useEffect(() => setText(query), [query]);

  const fields = useLoad(async (s) => {
    if (!groups[0]) return [];
    const found = await logs<{ logGroupFields?: { name?: string; percent?: number }[] }>("GetLogGroupFields", { logGroupName: groups[0], time: Math.floor(range.value.to / 1000) }, s);
    return found.logGroupFields ?? [];
  }, [groups[0], region.value, account.value]);

  const execute = async (what: string) => {
    remember(what);
    const mine = ++run.current;
    setError(undefined);
    setState(undefined);
    const began = performance.now();
    try {
      const { from, to } = range.value;
      const { queryId } = await logs<{ queryId: string }>("StartQuery", {
        ...(groups.length ? { logGroupNames: groups } : {}),
        startTime: Math.floor(from / 1000),
        endTime: Math.ceil(to / 1000),
        queryString: what,
      });
      setRunning(queryId);
      for (let wait = 15; mine === run.current; wait = Math.min(wait * 1.6, 500)) {
        await sleep(wait);
        const answer = await logs<Results>("GetQueryResults", { queryId });
        if (mine !== run.current) return;
        setState(read(answer, began));
        if (finished.has(answer.status)) break;
      }
    } catch (e) {
      if (mine === run.current) setError(asApiError(e));
    }
    if (mine === run.current) setRunning(undefined);
  };
  const stop = async () => {
    const id = running;
    if (id) await attempt("Query stopped", () => logs("StopQuery", { queryId: id }));
  };
  // The address decides what runs: a link, a step back, a brushed range, or the Run button.
  const [round, setRound] = useState(0);
  const start = () => (text === query ? setRound((n) => n + 1) : setParams({ q: text }, true));
  const rangeKey = param("range", "1h").value;
  useEffect(() => {
    if (groups.length || /^\s*SOURCE\b/i.test(query)) void execute(query);
  }, [query, round, groupText, rangeKey, region.value, account.value]);

  const series = useMemo(() => (state ? chartSeries(state) : []), [state]);
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
        <QueryEditor label="Logs Insights query" text={text} onChange={setText} onRun={start} keywords={words} fields={(fields.value ?? []).map((f) => f.name ?? "")} error={errorPlace(error, text)} hint="fields @timestamp, @message | limit 100" />
        <div class="row run-row">
          <button class="primary" onClick={start} disabled={!!running}>Run</button>
          <button onClick={() => void stop()} disabled={!running}>Stop</button>
          <small>Ctrl-Enter runs</small>
          <span class="grow" />
          <span role="status" aria-live="polite" class="soft">
            {running && !state && "Starting…"}
            {state && (
              <>
                <Badge tone={state.status === "Complete" ? "ok" : state.status === "Running" || state.status === "Scheduled" ? "info" : "bad"}>{state.status}</Badge>{" "}
                {formatNumber(state.statistics?.recordsMatched ?? 0)} matched of {formatNumber(state.statistics?.recordsScanned ?? 0)} scanned, {formatBytes(state.statistics?.bytesScanned ?? 0)}, {Math.round(state.ms)} ms
              </>
            )}
          </span>
        </div>
        {running && <div class="progress" role="progressbar" aria-label="Query running"><i /></div>}
      </Card>
      {error && <Problem error={error} />}
      {groups.length === 0 && !state && (
        <Card>
          <Empty title="Choose one or more log groups, or begin the query with SOURCE." command={cli("logs create-log-group --log-group-name /demo") + "\n" + cli("logs create-log-stream --log-group-name /demo --log-stream-name one") + "\n" + cli(`logs put-log-events --log-group-name /demo --log-stream-name one --log-events timestamp=$(date +%s000),message='{"level":"INFO","latency_ms":12}'`)} />
        </Card>
      )}
      {state && (
        <div class="grid two">
          <FieldList fields={fields.value ?? []} state={state} onAdd={add} />
          <Card
            title={
              <Tabs
                tabs={[["table", `Table (${formatNumber(state.rows.length)})`], ["chart", "Chart"], ["patterns", "Patterns"], ["raw", "JSON"]] as const}
                at={view}
                onChange={(v) => setParams({ view: v })}
              />
            }
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
                <Chart label="Result over time" series={series} from={range.value.from} to={range.value.to} height={340} kind={series.length > 1 && /\b(count|sum)\b/.test(query) ? "stacked" : "line"} />
              ) : (
                <Empty title="A chart needs a number over time" command="stats count(*) by bin(5m)" />
              ))}
            {view === "patterns" && <Empty title="Patterns" text="Clusters the messages of this query." command={"pattern @message"} />}
            {view === "raw" && <pre class="raw" tabIndex={0}>{JSON.stringify(state.rows.slice(0, 500), null, 2)}</pre>}
          </Card>
        </div>
      )}
      {detail && <EventDialog row={detail} onClose={() => setDetail(undefined)} onFilter={(f, v) => { add(`filter \`${f}\` = ${JSON.stringify(v)}`); setDetail(undefined); }} />}
    </Page>
  );
}

const shown = (state: QueryState) => state.columns.filter((c) => c !== "@ptr");

function markdown(state: QueryState): string {
  const cell = (text: string | undefined) => (text ?? "").replaceAll("|", "\\|").replaceAll("\n", " ");
  const columns = shown(state);
  return ["| " + columns.map(cell).join(" | ") + " |", "|" + columns.map(() => "---").join("|") + "|", ...state.rows.map((r) => "| " + columns.map((c) => cell(r[c])).join(" | ") + " |")].join("\n") + "\n";
}

// Result times are UTC text without a zone.
const resultTime = (text: string | undefined) => Date.parse((text ?? "").replace(" ", "T") + "Z");

// Rows with one column of time slots and columns of numbers; other columns name the series.
function chartSeries(state: QueryState): Series[] {
  const timeColumn = state.columns.find((c) => /^(bin|datefloor|dateceil)\(/.test(c) || c === "@timestamp" || /^\d{4}-\d\d-\d\d \d\d:/.test(state.rows[0]?.[c] ?? ""));
  if (!timeColumn) return [];
  const isNumber = (c: string) => state.rows.some((r) => r[c] !== undefined) && state.rows.every((r) => r[c] === undefined || r[c] === "" || Number.isFinite(Number(r[c])));
  const values = shown(state).filter((c) => c !== timeColumn && isNumber(c));
  const labels = shown(state).filter((c) => c !== timeColumn && !values.includes(c));
  const found = new Map<string, [number, number][]>();
  for (const row of state.rows) {
    const t = resultTime(row[timeColumn]);
    if (Number.isNaN(t)) continue;
    for (const column of values) {
      if (row[column] === undefined || row[column] === "") continue;
      const name = [...labels.map((l) => row[l] ?? ""), ...(values.length > 1 || labels.length === 0 ? [column] : [])].join(" ");
      const points = found.get(name) ?? [];
      points.push([t, Number(row[column])]);
      found.set(name, points);
    }
  }
  return [...found].slice(0, 60).map(([label, points]) => {
    points.sort((a, b) => a[0] - b[0]);
    return { label, times: points.map((p) => p[0]), values: points.map((p) => p[1]) };
  });
}

function ResultTable({ state, onRow }: { state: QueryState; onRow: (row: ResultRow) => void }) {
  const columns = useMemo(
    () =>
      shown(state).map((name): Column<ResultRow> => {
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
  return <Table label="Query result" columns={columns} rows={state.rows} rowKey={(_r, i) => String(i)} onRow={onRow} />;
}

function FieldList({ fields, state, onAdd }: { fields: { name?: string; percent?: number }[]; state: QueryState; onAdd: (piece: string) => void }) {
  const [open, setOpen] = useState<string>();
  const names = fields.length ? fields : state.columns.map((name) => ({ name, percent: undefined }));
  const top = (name: string) => {
    const counts = new Map<string, number>();
    for (const row of state.rows) if (row[name] !== undefined) counts.set(row[name]!, (counts.get(row[name]!) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8);
  };
  return (
    <Card title="Fields" class="fields">
      <ul class="plain">
        {names.filter((f) => f.name && f.name !== "@ptr").map((f) => (
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

const traceId = /1-[0-9a-f]{8}-[0-9a-f]{24}/;

export function EventDialog({ row, onClose, onFilter }: { row: Record<string, string>; onClose: () => void; onFilter?: (field: string, value: string) => void }) {
  // A result row shows only what was asked for; @ptr fetches the whole event.
  const whole = useLoad(async (s) => (row["@ptr"] ? (await logs<{ logRecord: Record<string, string> }>("GetLogRecord", { logRecordPointer: row["@ptr"] }, s)).logRecord : row), [row]);
  const record = whole.value ?? row;
  const trace = traceId.exec(Object.values(record).join(" "))?.[0];
  return (
    <Dialog title="Log event" onClose={onClose} wide>
      {trace && <p><a href={href(["traces", trace])} onClick={onClose}>Open trace {trace}</a></p>}
      <table class="event">
        <tbody>
          {Object.entries(record).filter(([k]) => k !== "@ptr").map(([k, v]) => (
            <tr>
              <th scope="row">{onFilter ? <button class="link" title="Filter by this value" onClick={() => onFilter(k, v)}>{k}</button> : k}</th>
              <td><pre>{pretty(v)}</pre></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

export function pretty(text: string): string {
  if (text.length < 200_000 && /^\s*[{[]/.test(text)) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not JSON after all: as it is.
    }
  }
  return text.length > 100_000 ? text.slice(0, 100_000) + `\n… ${formatNumber(text.length - 100_000)} more characters` : text;
}

const historyKey = "fogwatch.insights.history";
function pastQueries(): string[] {
  try {
    return JSON.parse(localStorage.getItem(historyKey) ?? "[]") as string[];
  } catch {
    return [];
  }
}
function remember(text: string) {
  try {
    localStorage.setItem(historyKey, JSON.stringify([text, ...pastQueries().filter((q) => q !== text)].slice(0, 50)));
  } catch {
    // No storage, no history.
  }
}

function History({ onChoose }: { onChoose: (text: string) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button onClick={() => setOpen(true)}>History</button>
      {open && (
        <Dialog title="Queries you ran" onClose={() => setOpen(false)} wide>
          {pastQueries().map((q) => (
            <button class="history" onClick={() => { onChoose(q); setOpen(false); }}><pre>{q}</pre></button>
          ))}
          {pastQueries().length === 0 && <p class="none">None yet.</p>}
        </Dialog>
      )}
    </>
  );
}

interface Definition {
  queryDefinitionId: string;
  name: string;
  queryString: string;
  logGroupNames?: string[];
}

function Saved({ text, groups, onChoose }: { text: string; groups: string[]; onChoose: (query: string, groups: string[]) => void }) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const saved = useLoad(async (s) => (open ? ((await logs<{ queryDefinitions?: Definition[] }>("DescribeQueryDefinitions", {}, s)).queryDefinitions ?? []) : []), [open]);
  const save = async () => {
    if (await attempt("Query saved", () => logs("PutQueryDefinition", { name, queryString: text, logGroupNames: groups }))) saved.reload();
  };
  return (
    <>
      <button onClick={() => setOpen(true)}>Saved</button>
      {open && (
        <Dialog title="Saved queries" onClose={() => setOpen(false)} wide>
          <form class="row" onSubmit={(e) => { e.preventDefault(); void save(); }}>
            <input class="grow" placeholder="folder/name" aria-label="Name" value={name} onInput={(e) => setName(e.currentTarget.value)} required />
            <button class="primary">Save the present query</button>
          </form>
          {saved.error && <Problem error={saved.error} />}
          {(saved.value ?? []).map((d) => (
            <div class="row history">
              <button class="link grow" onClick={() => { onChoose(d.queryString, d.logGroupNames ?? []); setOpen(false); }}><b>{d.name}</b><pre>{d.queryString}</pre></button>
              <button class="danger" onClick={() => void attempt("Deleted", () => logs("DeleteQueryDefinition", { queryDefinitionId: d.queryDefinitionId })).then(saved.reload)}>Delete</button>
            </div>
          ))}
        </Dialog>
      )}
    </>
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

