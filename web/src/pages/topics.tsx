// Topics: topics, their subscriptions, confirmation, a publish form.
import { useState } from "preact/hooks";

import { control, pages, sns } from "../api/client";
import { go, href, route } from "../app/router";
import { account, region } from "../app/settings";
import { refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, cli, CliButton, Dialog, Empty, Field, Page, Problem, quote } from "../ui/basic";
import { useLoad } from "../ui/load";
import { arnColumn, ListTable, Table, type Column } from "../ui/table";
import { attempt } from "../ui/toast";

interface Topic {
  TopicArn: string;
}
interface Subscription {
  SubscriptionArn: string;
  TopicArn: string;
  Protocol: string;
  Endpoint: string;
  Owner: string;
}

const nameOf = (arn: string) => arn.split(":").at(-1) ?? arn;

export default function Topics() {
  const arn = route.value.path[1];
  return arn ? <OneTopic arn={arn} /> : <List />;
}

function List() {
  const [creating, setCreating] = useState(false);
  const topics = useLoad(
    (s) => pages<Topic>(async (token) => {
      const page = await sns<{ Topics?: Topic[]; NextToken?: string }>("ListTopics", { NextToken: token }, s);
      return { items: page.Topics || [], next: page.NextToken };
    }),
    [refreshTick.value, region.value, account.value],
  );
  const columns: Column<Topic>[] = [
    { id: "name", title: "Topic", value: (t) => nameOf(t.TopicArn), cell: (t) => <a href={href(["topics", t.TopicArn])}>{nameOf(t.TopicArn)}</a> },
    { id: "type", title: "Type", value: (t) => (t.TopicArn.endsWith(".fifo") ? "FIFO" : "Standard") },
    arnColumn((t) => t.TopicArn),
  ];
  return (
    <Page title="Topics" actions={<button class="primary" onClick={() => setCreating(true)}>Create topic</button>}>
      {topics.error && <Problem error={topics.error} />}
      {topics.value?.length === 0 ? <Card><Empty title="No topic yet" command={cli("sns create-topic --name alerts")} /></Card> : <ListTable name="topics" cli="sns list-topics" label="Topics" columns={columns} rows={topics.value ?? []} rowKey={(t) => t.TopicArn} onRow={(t) => go(["topics", t.TopicArn])} />}
      {creating && <CreateTopic onClose={() => { setCreating(false); topics.reload(); }} />}
    </Page>
  );
}

function CreateTopic({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const attributes = name.endsWith(".fifo") ? new Map([["FifoTopic", "true"], ["ContentBasedDeduplication", "true"]]) : undefined;
  return (
    <Dialog title="Create topic" onClose={onClose}>
      <form class="row" onSubmit={(e) => { e.preventDefault(); void attempt("Topic created", () => sns("CreateTopic", { Name: name, Attributes: attributes })).then((ok) => ok && onClose()); }}>
        <input class="grow" placeholder="Name (ending in .fifo: a FIFO topic)" aria-label="Name" required value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <button class="primary">Create</button>
      </form>
    </Dialog>
  );
}

function OneTopic({ arn }: { arn: string }) {
  const attributes = useLoad(async (s) => (await sns<{ Attributes?: Record<string, string> }>("GetTopicAttributes", { TopicArn: arn }, s)).Attributes ?? {}, [arn, refreshTick.value]);
  const subscriptions = useLoad(async (s) => (await sns<{ Subscriptions?: Subscription[] }>("ListSubscriptionsByTopic", { TopicArn: arn }, s)).Subscriptions || [], [arn, refreshTick.value]);
  const columns: Column<Subscription>[] = [
    { id: "state", title: "State", value: (s) => s.SubscriptionArn, cell: (s) => <Badge tone={s.SubscriptionArn.startsWith("arn:") ? "ok" : "warn"}>{s.SubscriptionArn.startsWith("arn:") ? "confirmed" : "pending"}</Badge> },
    { id: "protocol", title: "Protocol", value: (s) => s.Protocol },
    { id: "confirm", title: "", value: () => "", cell: (s) => !s.SubscriptionArn.startsWith("arn:") && <button onClick={() => void confirmPending(s).then(subscriptions.reload)}>Confirm</button> },
    { id: "endpoint", title: "Endpoint", value: (s) => s.Endpoint },
    { id: "do", title: "", value: () => "", cell: (s) => s.SubscriptionArn.startsWith("arn:") && <button onClick={() => void attemptIfSure(`Unsubscribe ${s.Endpoint}?`, "Unsubscribed", () => sns("Unsubscribe", { SubscriptionArn: s.SubscriptionArn }), "Unsubscribe").then(subscriptions.reload)}>Unsubscribe</button> },
  ];
  return (
    <Page
      title={nameOf(arn)}
      crumbs={[{ text: "Topics", href: href(["topics"]) }]}
      actions={<><CliButton line={`sns get-topic-attributes --topic-arn ${quote(arn)}`} /><button class="danger" onClick={() => void attemptIfSure(`Delete ${nameOf(arn)} and its subscriptions?`, "Topic deleted", () => sns("DeleteTopic", { TopicArn: arn })).then((ok) => ok && go(["topics"]))}>Delete</button></>}
    >
      <p class="soft mono">{arn}</p>
      {attributes.error && <Problem error={attributes.error} />}
      <Card title="Subscriptions">
        {subscriptions.error && <Problem error={subscriptions.error} />}
        <Table label="Subscriptions" columns={columns} rows={subscriptions.value ?? []} rowKey={(s, i) => s.SubscriptionArn + i} height={280} />
        <Subscribe arn={arn} onDone={subscriptions.reload} />
        <p class="soft">A pending e-mail subscription is confirmed by the link in its mail: see the <a href={href(["outbox"])}>outbox</a>.</p>
      </Card>
      <div class="grid">
        <Publish arn={arn} />
        <Card title="Attributes">
          <table><tbody>{Object.entries(attributes.value ?? {}).map(([k, v]) => <tr><th scope="row">{k}</th><td class="wrap">{v}</td></tr>)}</tbody></table>
        </Card>
      </div>
    </Page>
  );
}

// The token of a pending subscription stands in the outbox, where its mail waits.
const confirmPending = (s: Subscription) =>
  attempt("Subscription confirmed", async () => {
    const { messages } = await control<{ messages: { endpoint: string; token?: string }[] }>("GET", `outbox?topic=${encodeURIComponent(s.TopicArn)}`);
    const mail = messages.findLast((m) => m.endpoint === s.Endpoint && m.token);
    if (!mail) throw new Error("The outbox has no confirmation for this endpoint.");
    await sns("ConfirmSubscription", { TopicArn: s.TopicArn, Token: mail.token });
  });

function Subscribe({ arn, onDone }: { arn: string; onDone: () => void }) {
  const [protocol, setProtocol] = useState("email");
  const [endpoint, setEndpoint] = useState("");
  const [policy, setPolicy] = useState("");
  const subscribe = () => attempt("Subscribed", () => sns("Subscribe", { TopicArn: arn, Protocol: protocol, Endpoint: endpoint, Attributes: policy ? new Map([["FilterPolicy", policy]]) : undefined })).then(onDone);
  return (
    <form class="row run-row" onSubmit={(e) => { e.preventDefault(); void subscribe(); }}>
      <select aria-label="Protocol" value={protocol} onChange={(e) => setProtocol(e.currentTarget.value)}>{["email", "email-json", "http", "https", "sms", "sqs", "lambda", "firehose", "application"].map((p) => <option>{p}</option>)}</select>
      <input class="grow" placeholder="Endpoint" aria-label="Endpoint" required value={endpoint} onInput={(e) => setEndpoint(e.currentTarget.value)} />
      <input class="grow mono" placeholder="Filter policy (JSON), if any" aria-label="Filter policy" value={policy} onInput={(e) => setPolicy(e.currentTarget.value)} />
      <button>Subscribe</button>
    </form>
  );
}

function Publish({ arn }: { arn: string }) {
  const [subject, setSubject] = useState("");
  const [message, setMessage] = useState("");
  const [attributes, setAttributes] = useState("");
  const [group, setGroup] = useState("one");
  const fifo = arn.endsWith(".fifo");
  const publish = () =>
    attempt("Published", () => {
      const lines = attributes.split("\n").map((l) => l.trim()).filter((l) => l.includes("="));
      const map = new Map(lines.map((l) => [l.slice(0, l.indexOf("=")), { DataType: "String", StringValue: l.slice(l.indexOf("=") + 1) }]));
      return sns("Publish", { TopicArn: arn, Message: message, Subject: subject || undefined, MessageAttributes: map.size ? map : undefined, MessageGroupId: fifo ? group : undefined });
    });
  return (
    <Card title="Publish" actions={<CliButton line={`sns publish --topic-arn ${quote(arn)} --message ${quote(message || "hello")}`} />}>
      <form class="form" onSubmit={(e) => { e.preventDefault(); void publish(); }}>
        <Field label="Subject"><input maxLength={100} value={subject} onInput={(e) => setSubject(e.currentTarget.value)} /></Field>
        {fifo && <Field label="Message group"><input value={group} onInput={(e) => setGroup(e.currentTarget.value)} /></Field>}
        <Field label="Message"><textarea rows={4} required value={message} onInput={(e) => setMessage(e.currentTarget.value)} /></Field>
        <Field label="Attributes" hint="name=value, one a line"><textarea rows={2} value={attributes} onInput={(e) => setAttributes(e.currentTarget.value)} /></Field>
        <button class="primary">Publish</button>
      </form>
    </Card>
  );
}
