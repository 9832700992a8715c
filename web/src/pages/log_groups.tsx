// Log groups: the list; a group with its streams; a stream with its events.
import { useEffect, useMemo, useState } from "preact/hooks";

import { logs, pages } from "../api/client";
import { go, href, param, route, setParams } from "../app/router";
import { account, region } from "../app/settings";
import { ago, formatTime, range, refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, cli, CliButton, Dialog, Empty, Field, formatBytes, formatNumber, Page, Problem, quote, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { arnColumn, ExportButtons, ListTable, Table, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import type { LogGroup } from "./group_picker";
import { EventDialog } from "./event_dialog";

const retentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

export default function LogGroups() {
  const [, , group, stream] = route.value.path;
  if (group && stream) return <Stream group={group} stream={stream} />;
  if (group) return <Group name={group} />;
  return <List />;
}

function List() {
  const [creating, setCreating] = useState(false);
  const groups = useLoad(
    (s) => pages<LogGroup>(async (token) => {
      const page = await logs<{ logGroups?: LogGroup[]; nextToken?: string }>("DescribeLogGroups", { limit: 50, nextToken: token }, s);
      return { items: page.logGroups ?? [], next: page.nextToken };
    }),
    [refreshTick.value, region.value, account.value],
  );
  const columns: Column<LogGroup>[] = [
    { id: "name", title: "Log group", value: (g) => g.logGroupName, cell: (g) => <a href={href(["logs", "groups", g.logGroupName])}>{g.logGroupName}</a> },
    { id: "size", title: "Stored", numeric: true, value: (g) => g.storedBytes ?? 0, cell: (g) => formatBytes(g.storedBytes ?? 0) },
    { id: "retention", title: "Retention", value: (g) => g.retentionInDays ?? Infinity, cell: (g) => (g.retentionInDays ? g.retentionInDays + " days" : "Never expires") },
    { id: "class", title: "Class", value: (g) => g.logGroupClass ?? "STANDARD" },
    { id: "filters", title: "Metric filters", numeric: true, value: (g) => g.metricFilterCount ?? 0 },
    { id: "created", title: "Created", value: (g) => g.creationTime ?? 0, cell: (g) => formatTime(g.creationTime ?? 0, false) },
    arnColumn((g) => g.logGroupArn ?? g.arn),
    { id: "query", title: "", value: () => "", cell: (g) => <a href={href(["logs", "insights"], { groups: g.logGroupName })}>Query</a> },
  ];
  return (
    <Page
      title="Log groups"
      actions={
        <>
          <button class="primary" onClick={() => setCreating(true)}>Create log group</button>
        </>
      }
    >
      {groups.error && <Problem error={groups.error} />}
      {groups.value?.length === 0 ? (
        <Card><Empty title="No log group yet" text="This makes one:" command={cli("logs create-log-group --log-group-name /my/app")} /></Card>
      ) : (
        <ListTable name="log-groups" cli="logs describe-log-groups" label="Log groups" columns={columns} rows={groups.value ?? []} rowKey={(g) => g.logGroupName} onRow={(g) => go(["logs", "groups", g.logGroupName])} sort={{ by: "name", down: false }} />
      )}
      {creating && <CreateGroup onClose={() => { setCreating(false); groups.reload(); }} />}
    </Page>
  );
}

function CreateGroup({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [days, setDays] = useState("");
  const create = async () => {
    const made = await attempt("Log group created", async () => {
      await logs("CreateLogGroup", { logGroupName: name });
      if (days) await logs("PutRetentionPolicy", { logGroupName: name, retentionInDays: Number(days) });
    });
    if (made) onClose();
  };
  return (
    <Dialog title="Create log group" onClose={onClose}>
      <form class="form" onSubmit={(e) => { e.preventDefault(); void create(); }}>
        <Field label="Name" hint="a-z A-Z 0-9 _ - / . #"><input value={name} required maxLength={512} onInput={(e) => setName(e.currentTarget.value)} /></Field>
        <Field label="Retention"><RetentionSelect value={days} onChange={setDays} /></Field>
        <button class="primary">Create</button>
      </form>
    </Dialog>
  );
}

function RetentionSelect({ value, onChange }: { value: string; onChange: (days: string) => void }) {
  return (
    <select value={value} onChange={(e) => onChange(e.currentTarget.value)}>
      <option value="">Never expires</option>
      {retentionDays.map((d) => <option value={String(d)}>{d} days</option>)}
    </select>
  );
}

interface LogStream {
  logStreamName: string;
  creationTime?: number;
  firstEventTimestamp?: number;
  lastEventTimestamp?: number;
  lastIngestionTime?: number;
}

function Group({ name }: { name: string }) {
  const tab = (param("tab", "streams").value || "streams") as "streams" | "search" | "filters" | "tags";
  const info = useLoad(async (s) => (await logs<{ logGroups?: LogGroup[] }>("DescribeLogGroups", { logGroupNamePrefix: name }, s)).logGroups?.find((g) => g.logGroupName === name), [name, refreshTick.value, region.value, account.value]);
  const remove = async () => {
    if (await attemptIfSure(`Delete ${name} and all its events?`, "Log group deleted", () => logs("DeleteLogGroup", { logGroupName: name }))) go(["logs", "groups"]);
  };
  const retain = (days: string) =>
    attempt("Retention changed", () => (days ? logs("PutRetentionPolicy", { logGroupName: name, retentionInDays: Number(days) }) : logs("DeleteRetentionPolicy", { logGroupName: name }))).then(info.reload);
  return (
    <Page
      title={name}
      crumbs={[{ text: "Log groups", href: href(["logs", "groups"]) }]}
      actions={
        <>
          <a href={href(["logs", "insights"], { groups: name })}>Query</a>
          <a href={href(["logs", "tail"], { groups: name })}>Live tail</a>
          <button class="danger" onClick={() => void remove()}>Delete</button>
        </>
      }
    >
      {info.error && <Problem error={info.error} />}
      {info.value && (
        <div class="row">
          <Badge tone="info">{info.value.logGroupClass ?? "STANDARD"}</Badge>
          <span>{formatBytes(info.value.storedBytes ?? 0)} stored</span>
          <label class="row">Retention <RetentionSelect value={String(info.value.retentionInDays ?? "")} onChange={(d) => void retain(d)} /></label>
          <small class="mono">{info.value.arn}</small>
        </div>
      )}
      <Tabs tabs={[["streams", "Streams"], ["search", "Search events"], ["filters", "Filters"], ["tags", "Tags"]] as const} at={tab} onChange={(t) => setParams({ tab: t }, true)} />
      {tab === "streams" && <Streams group={name} />}
      {tab === "search" && <SearchEvents group={name} />}
      {tab === "filters" && <Filters group={name} />}
      {tab === "tags" && info.value?.logGroupArn && <Tags arn={info.value.logGroupArn} />}
    </Page>
  );
}

function Streams({ group }: { group: string }) {
  const streams = useLoad(
    (s) => pages<LogStream>(async (token) => {
      const page = await logs<{ logStreams?: LogStream[]; nextToken?: string }>("DescribeLogStreams", { logGroupName: group, orderBy: "LastEventTime", descending: true, limit: 50, nextToken: token }, s);
      return { items: page.logStreams ?? [], next: page.nextToken };
    }, 2000),
    [group, refreshTick.value],
  );
  const columns: Column<LogStream>[] = [
    { id: "name", title: "Log stream", value: (l) => l.logStreamName, cell: (l) => <a href={href(["logs", "groups", group, l.logStreamName])}>{l.logStreamName}</a> },
    { id: "last", title: "Last event", value: (l) => l.lastEventTimestamp, cell: (l) => (l.lastEventTimestamp ? `${formatTime(l.lastEventTimestamp)} (${ago(l.lastEventTimestamp)})` : "–") },
    { id: "first", title: "First event", value: (l) => l.firstEventTimestamp, cell: (l) => (l.firstEventTimestamp ? formatTime(l.firstEventTimestamp) : "–") },
    { id: "created", title: "Created", value: (l) => l.creationTime, cell: (l) => formatTime(l.creationTime ?? 0, false) },
  ];
  return (
    <>
      {streams.error && <Problem error={streams.error} />}
      {streams.value?.length === 0 ? (
        <Card><Empty title="No stream yet" command={cli(`logs create-log-stream --log-group-name ${quote(group)} --log-stream-name one`)} /></Card>
      ) : (
        <ListTable name="log-streams" cli={`logs describe-log-streams --log-group-name ${quote(group)}`} label="Log streams" columns={columns} rows={streams.value ?? []} rowKey={(l) => l.logStreamName} onRow={(l) => go(["logs", "groups", group, l.logStreamName])} />
      )}
    </>
  );
}

interface Event {
  timestamp: number;
  ingestionTime?: number;
  message: string;
  logStreamName?: string;
  eventId?: string;
}

function EventTable({ events, group, stream }: { events: Event[]; group: string; stream?: string }) {
  const [open, setOpen] = useState<Event>();
  const wrap = param("wrap").value === "yes";
  const columns: Column<Event>[] = [
    { id: "time", title: "Time", value: (e) => e.timestamp, cell: (e) => <span class="mono">{formatTime(e.timestamp)}</span>, width: "190px" },
    ...(stream ? [] : [{ id: "stream", title: "Stream", value: (e: Event) => e.logStreamName, cell: (e: Event) => <a href={href(["logs", "groups", group, e.logStreamName ?? ""])}>{e.logStreamName}</a> }]),
    { id: "message", title: "Message", value: (e) => e.message, cell: (e) => <span class="mono">{e.message.slice(0, 2000)}</span> },
  ];
  return (
    <>
      <div class="row">
        <label class="row"><input type="checkbox" checked={wrap} onChange={(e) => setParams({ wrap: e.currentTarget.checked ? "yes" : undefined })} /> Wrap</label>
        <span class="grow" />
        <ExportButtons name="events" columns={columns} rows={events} />
      </div>
      {wrap ? (
        <div class="wrapped" tabIndex={0} role="region" aria-label="Events">
          {events.slice(0, 2000).map((e) => (
            <p class="mono"><span class="soft">{formatTime(e.timestamp)}</span> {e.message.slice(0, 20000)}</p>
          ))}
        </div>
      ) : (
        <Table label="Events" columns={columns} rows={events} rowKey={(e, i) => e.eventId ?? String(i)} onRow={setOpen} />
      )}
      {open && <EventDialog row={{ "@timestamp": new Date(open.timestamp).toISOString(), ...(open.ingestionTime ? { "@ingestionTime": new Date(open.ingestionTime).toISOString() } : {}), "@logStream": open.logStreamName ?? stream ?? "", "@message": open.message }} onClose={() => setOpen(undefined)} />}
    </>
  );
}

function SearchEvents({ group }: { group: string }) {
  const pattern = param("pattern").value;
  const [text, setText] = useState(pattern);
  const found = useLoad(
    (s) => pages<Event>(async (token) => {
      const page = await logs<{ events?: Event[]; nextToken?: string }>("FilterLogEvents", { logGroupName: group, filterPattern: pattern, startTime: Math.floor(range.value.from), endTime: Math.ceil(range.value.to), limit: 1000, nextToken: token }, s);
      return { items: page.events ?? [], next: page.nextToken };
    }, 5000),
    [group, pattern, range.value],
  );
  return (
    <>
      <form class="row" onSubmit={(e) => { e.preventDefault(); setParams({ pattern: text }, true); }}>
        <input class="grow mono" value={text} placeholder={'Filter pattern: ERROR -timeout, "exact words", %regex%, { $.level = "ERROR" }'} aria-label="Filter pattern" onInput={(e) => setText(e.currentTarget.value)} />
        <button class="primary">Search</button>
        <CliButton line={`logs filter-log-events --log-group-name ${quote(group)} --filter-pattern ${quote(pattern)} --start-time ${Math.floor(range.value.from)} --end-time ${Math.ceil(range.value.to)}`} />
      </form>
      {found.error && <Problem error={found.error} />}
      <small role="status">{found.loading ? "Reading…" : `${formatNumber(found.value?.length ?? 0)} events`}</small>
      <EventTable events={found.value ?? []} group={group} />
    </>
  );
}

function Stream({ group, stream }: { group: string; stream: string }) {
  const [events, setEvents] = useState<Event[]>([]);
  const [token, setToken] = useState<string>();
  const first = useLoad((s) => logs<{ events: Event[]; nextBackwardToken?: string }>("GetLogEvents", { logGroupName: group, logStreamName: stream, limit: 1000, startTime: Math.floor(range.value.from), endTime: Math.ceil(range.value.to) }, s), [group, stream, range.value]);
  useEffect(() => {
    if (!first.value) return;
    setEvents(first.value.events);
    setToken(first.value.nextBackwardToken);
  }, [first.value]);
  const older = async () => {
    await attempt("Read older events", async () => {
      const page = await logs<{ events: Event[]; nextBackwardToken?: string }>("GetLogEvents", { logGroupName: group, logStreamName: stream, limit: 1000, nextToken: token });
      setEvents([...page.events, ...events]);
      setToken(page.nextBackwardToken === token ? undefined : page.nextBackwardToken);
    });
  };
  return (
    <Page
      title={stream}
      crumbs={[{ text: "Log groups", href: href(["logs", "groups"]) }, { text: group, href: href(["logs", "groups", group]) }]}
      actions={
        <>
          <CliButton line={`logs get-log-events --log-group-name ${quote(group)} --log-stream-name ${quote(stream)}`} />
          <button class="danger" onClick={() => void attemptIfSure(`Delete ${stream} and its events?`, "Stream deleted", () => logs("DeleteLogStream", { logGroupName: group, logStreamName: stream })).then((ok) => ok && go(["logs", "groups", group]))}>Delete</button>
        </>
      }
    >
      {first.error && <Problem error={first.error} />}
      <div class="row">
        <button disabled={!token} onClick={() => void older()}>Older events</button>
        <small>{formatNumber(events.length)} events in this time</small>
      </div>
      <EventTable events={events} group={group} stream={stream} />
    </Page>
  );
}

interface MetricFilter {
  filterName: string;
  filterPattern?: string;
  metricTransformations?: { metricNamespace: string; metricName: string; metricValue: string; unit?: string }[];
}
interface SubscriptionFilter {
  filterName: string;
  filterPattern?: string;
  destinationArn: string;
}

function Filters({ group }: { group: string }) {
  const metric = useLoad(async (s) => (await logs<{ metricFilters?: MetricFilter[] }>("DescribeMetricFilters", { logGroupName: group }, s)).metricFilters ?? [], [group]);
  const subscriptions = useLoad(async (s) => (await logs<{ subscriptionFilters?: SubscriptionFilter[] }>("DescribeSubscriptionFilters", { logGroupName: group }, s)).subscriptionFilters ?? [], [group]);
  const [form, setForm] = useState({ filterName: "", pattern: "", ns: "App", name: "", value: "1", destination: "" });
  const input = (key: keyof typeof form, label: string, required = true) => <Field label={label}><input required={required} class={key === "pattern" ? "mono" : ""} value={form[key]} onInput={(e) => setForm({ ...form, [key]: e.currentTarget.value })} /></Field>;
  const addMetric = () => attempt("Metric filter saved", () => logs("PutMetricFilter", { logGroupName: group, filterName: form.filterName, filterPattern: form.pattern, metricTransformations: [{ metricNamespace: form.ns, metricName: form.name, metricValue: form.value }] })).then(metric.reload);
  const addSubscription = () => attempt("Subscription filter saved", () => logs("PutSubscriptionFilter", { logGroupName: group, filterName: form.filterName, filterPattern: form.pattern, destinationArn: form.destination })).then(subscriptions.reload);
  const remove = (operation: string, filterName: string, done: () => void) => <button class="danger" onClick={() => void attemptIfSure(`Delete the filter ${filterName}?`, "Filter deleted", () => logs(operation, { logGroupName: group, filterName })).then(done)}>Delete</button>;
  return (
    <div class="grid">
      <Card title="Metric filters">
        {metric.error && <Problem error={metric.error} />}
        {metric.value?.map((f) => (
          <div class="row">
            <b>{f.filterName}</b> <code>{f.filterPattern}</code>
            {f.metricTransformations?.map((t) => <a class="grow" href={href(["metrics"], { ns: t.metricNamespace })}>{t.metricNamespace} {t.metricName} = {t.metricValue}</a>)}
            {remove("DeleteMetricFilter", f.filterName, metric.reload)}
          </div>
        ))}
        {metric.value?.length === 0 && <Empty title="None" command={cli(`logs put-metric-filter --log-group-name ${quote(group)} --filter-name errors --filter-pattern ERROR --metric-transformations metricName=Errors,metricNamespace=App,metricValue=1`)} />}
        <form class="form run-row" onSubmit={(e) => { e.preventDefault(); void addMetric(); }}>{input("filterName", "Name")}{input("pattern", "Pattern", false)}{input("ns", "Namespace")}{input("name", "Metric")}{input("value", "Value")}<button>Save</button></form>
      </Card>
      <Card title="Subscription filters">
        {subscriptions.error && <Problem error={subscriptions.error} />}
        {subscriptions.value?.map((f) => <div class="row"><b>{f.filterName}</b> <code>{f.filterPattern}</code> <span class="grow">{f.destinationArn}</span> {remove("DeleteSubscriptionFilter", f.filterName, subscriptions.reload)}</div>)}
        {subscriptions.value?.length === 0 && <p class="none">None.</p>}
        <form class="form run-row" onSubmit={(e) => { e.preventDefault(); void addSubscription(); }}>{input("filterName", "Name")}{input("pattern", "Pattern", false)}{input("destination", "Destination ARN")}<button>Save</button></form>
      </Card>
      <PatternTester group={group} />
    </div>
  );
}

function PatternTester({ group }: { group: string }) {
  const [pattern, setPattern] = useState('{ $.level = "ERROR" }');
  const [lines, setLines] = useState('{"level":"ERROR","latency_ms":1200}\n{"level":"INFO","latency_ms":8}\nplain ERROR text');
  const stored = () =>
    attempt("Lines read", async () => {
      const { events } = await logs<{ events?: { message: string }[] }>("FilterLogEvents", { logGroupName: group, limit: 20 });
      setLines((events ?? []).map((e) => e.message.replaceAll("\n", " ").slice(0, 2000)).join("\n"));
    });
  const messages = useMemo(() => lines.split("\n").filter(Boolean).slice(0, 50), [lines]);
  const tested = useLoad(
    async (s) => (pattern && messages.length ? (await logs<{ matches?: { eventNumber: number; extractedValues?: Record<string, string> }[] }>("TestMetricFilter", { filterPattern: pattern, logEventMessages: messages }, s)).matches ?? [] : []),
    [pattern, messages],
  );
  return (
    <Card title="Try a pattern" actions={<button onClick={() => void stored()}>Take stored lines</button>}>
      <Field label="Filter pattern"><input class="mono" value={pattern} onInput={(e) => setPattern(e.currentTarget.value)} /></Field>
      <Field label="Lines"><textarea rows={5} value={lines} onInput={(e) => setLines(e.currentTarget.value)} /></Field>
      {tested.error && <Problem error={tested.error} />}
      <ul class="plain">
        {messages.map((m, i) => {
          const match = tested.value?.find((t) => t.eventNumber === i + 1);
          return <li class="row"><Badge tone={match ? "ok" : "idle"}>{match ? "match" : "no"}</Badge> <code class="grow">{m.slice(0, 200)}</code></li>;
        })}
      </ul>
    </Card>
  );
}

function Tags({ arn }: { arn: string }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const tags = useLoad(async (s) => (await logs<{ tags?: Record<string, string> }>("ListTagsForResource", { resourceArn: arn }, s)).tags ?? {}, [arn]);
  return (
    <Card title="Tags">
      {tags.error && <Problem error={tags.error} />}
      {Object.entries(tags.value ?? {}).map(([k, v]) => (
        <div class="row"><b>{k}</b> <span class="grow">{v}</span> <button onClick={() => void attemptIfSure(`Remove the tag ${k}?`, "Tag removed", () => logs("UntagResource", { resourceArn: arn, tagKeys: [k] }), "Remove").then(tags.reload)}>Remove</button></div>
      ))}
      <form class="row" onSubmit={(e) => { e.preventDefault(); void attempt("Tag added", () => logs("TagResource", { resourceArn: arn, tags: { [key]: value } })).then(tags.reload); }}>
        <input placeholder="Key" aria-label="Key" required value={key} onInput={(e) => setKey(e.currentTarget.value)} />
        <input placeholder="Value" aria-label="Value" value={value} onInput={(e) => setValue(e.currentTarget.value)} />
        <button>Add</button>
      </form>
    </Card>
  );
}
