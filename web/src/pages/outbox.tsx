// Outbox: what would have left this machine: mails, SMS, push, undeliverable messages.
import { useState } from "preact/hooks";

import { control } from "../api/client";
import { param, setParams } from "../app/router";
import { formatTime, refreshTick } from "../app/time";
import { Badge, Card, cli, Dialog, Empty, Page, Problem, Search, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ExportButtons, Table, type Column } from "../ui/table";
import { attempt } from "../ui/toast";

interface Message {
  id: string;
  time: string;
  protocol: string;
  endpoint: string;
  topic: string;
  subject: string;
  message: string;
  raw: string;
}

export default function Outbox() {
  const filter = param("filter").value;
  const [open, setOpen] = useState<Message>();
  const box = useLoad(async () => (await control<{ messages: Message[] }>("GET", "outbox")).messages, [refreshTick.value]);
  const columns: Column<Message>[] = [
    { id: "time", title: "Time", value: (m) => m.time, cell: (m) => formatTime(Date.parse(m.time)) },
    { id: "protocol", title: "Protocol", value: (m) => m.protocol, cell: (m) => <Badge tone="info">{m.protocol}</Badge> },
    { id: "endpoint", title: "To", value: (m) => m.endpoint },
    { id: "topic", title: "Topic", value: (m) => (m.topic ?? "").split(":").at(-1) },
    { id: "subject", title: "Subject", value: (m) => m.subject || m.message?.slice(0, 120) },
  ];
  const clear = async () => {
    if (confirm("Empty the outbox?") && (await attempt("Outbox emptied", () => control("DELETE", "outbox")))) box.reload();
  };
  return (
    <Page title="Outbox" actions={<><ExportButtons name="outbox" columns={columns} rows={box.value ?? []} /><button class="danger" onClick={() => void clear()}>Empty</button></>}>
      {box.error && <Problem error={box.error} />}
      <Search label="Filter messages" value={filter} onInput={(v) => setParams({ filter: v })} />
      {box.value?.length === 0 ? (
        <Card>
          <Empty title="Nothing has been sent" text="Mails, SMS and push messages wait here instead of leaving this machine." command={cli("sns publish --phone-number +15550100 --message hello")} />
        </Card>
      ) : (
        <Table label="Messages" columns={columns} rows={box.value ?? []} rowKey={(m) => m.id} filter={filter} onRow={setOpen} sort={{ by: "time", down: true }} />
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

function MessageDialog({ message, onClose }: { message: Message; onClose: () => void }) {
  const [tab, setTab] = useState<"text" | "raw">("text");
  return (
    <Dialog title={message.subject || message.protocol} onClose={onClose} wide>
      <p class="soft">To {message.endpoint} by {message.protocol}, {formatTime(Date.parse(message.time))}</p>
      <Tabs tabs={[["text", "Message"], ["raw", "Raw"]] as const} at={tab} onChange={setTab} />
      <pre class="raw" tabIndex={0}>{tab === "text" ? <Linked text={message.message ?? ""} /> : message.raw || message.message}</pre>
    </Dialog>
  );
}
