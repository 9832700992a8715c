// Outbox: what would have left this machine: mails as their reader would see them, SMS, push.
import { useState } from "preact/hooks";

import { control, sns } from "../api/client";
import { href } from "../app/router";
import { formatTime, refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, cli, Dialog, Empty, Page, Problem, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import { attempt } from "../ui/toast";
import { pretty } from "./event_dialog";

interface Message {
  id: string;
  time: string;
  protocol: string;
  endpoint: string;
  topic: string;
  subject: string;
  message: string;
  raw: string;
  token?: string;
}

export default function Outbox() {
  const [open, setOpen] = useState<Message>();
  const box = useLoad(async () => (await control<{ messages: Message[] }>("GET", "outbox")).messages, [refreshTick.value]);
  const columns: Column<Message>[] = [
    { id: "time", title: "Time", value: (m) => m.time, cell: (m) => <span class="mono">{formatTime(Date.parse(m.time))}</span> },
    { id: "protocol", title: "Protocol", value: (m) => m.protocol, cell: (m) => <Badge tone="info">{m.protocol}</Badge> },
    { id: "endpoint", title: "To", value: (m) => m.endpoint },
    { id: "topic", title: "Topic", value: (m) => (m.topic ?? "").split(":").at(-1) },
    { id: "subject", title: "Subject", value: (m) => m.subject || m.message?.slice(0, 120) },
  ];
  const clear = () => attemptIfSure("Delete all messages of the outbox?", "Outbox emptied", () => control("DELETE", "outbox"), "Empty").then(box.reload);
  return (
    <Page title="Outbox" actions={<button class="danger" disabled={!box.value?.length} onClick={() => void clear()}>Empty</button>}>
      {box.error && <Problem error={box.error} />}
      {box.value?.length === 0 ? (
        <Card>
          <Empty title="Nothing has been sent" text="Mails, SMS and push messages wait here instead of leaving this machine." command={cli("sns publish --phone-number +15550100 --message hello")} />
        </Card>
      ) : (
        <ListTable name="outbox" label="Messages" columns={columns} rows={box.value ?? []} rowKey={(m) => m.id} onRow={setOpen} sort={{ by: "time", down: true }} />
      )}
      {open && <MessageDialog message={open} onClose={() => setOpen(undefined)} />}
    </Page>
  );
}

// Addresses in a message become links, when they are http(s); all else stays text.
function Linked({ text }: { text: string }) {
  return (
    <>
      {text.split(/(https?:\/\/[^\s<>"')]+)/).map((part, i) => (i % 2 ? <a href={part} target="_blank" rel="noopener noreferrer">{part}</a> : part))}
    </>
  );
}

function MessageDialog({ message: m, onClose }: { message: Message; onClose: () => void }) {
  const [tab, setTab] = useState<"text" | "raw" | "fields">("text");
  const confirm = () => attempt("Subscription confirmed", () => sns("ConfirmSubscription", { TopicArn: m.topic, Token: m.token }));
  const alarm = /"AlarmName"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(m.message ?? "")?.[1];
  return (
    <Dialog title={m.subject || m.protocol} onClose={onClose} wide>
      <dl class="mail-head">
        <dt>To</dt><dd>{m.endpoint} <Badge tone="info">{m.protocol}</Badge></dd>
        {m.subject && <><dt>Subject</dt><dd>{m.subject}</dd></>}
        {m.topic && <><dt>Topic</dt><dd><a href={href(["topics", m.topic])} onClick={onClose}>{m.topic.split(":").at(-1)}</a></dd></>}
        <dt>Time</dt><dd>{formatTime(Date.parse(m.time))}</dd>
      </dl>
      <p class="row">
        {m.token && <button class="primary" onClick={() => void confirm()}>Confirm subscription</button>}
        {alarm && <a href={href(["alarms", alarm])} onClick={onClose}>Open the alarm {alarm}</a>}
      </p>
      <Tabs tabs={[["text", "Message"], ["raw", "Raw"], ["fields", "Fields"]] as const} at={tab} onChange={setTab} />
      {tab === "fields" ? <pre class="raw" tabIndex={0}>{JSON.stringify({ ...m, raw: undefined, message: undefined }, null, 2)}</pre> : <pre class={tab === "text" ? "mail" : "raw"} tabIndex={0}>{tab === "text" ? <Linked text={pretty(m.message ?? "")} /> : m.raw || m.message}</pre>}
    </Dialog>
  );
}
