// Live tail: new lines as they arrive, from several groups, with a filter pattern and highlights.
//
// Lines come from FilterLogEvents, asked twice a second for what is newer than the last line; a ring
// keeps the newest 10,000. Pausing keeps the view and counts what comes.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { logs } from "../api/client";
import { param, setParams } from "../app/router";
import { formatTime, serverNow } from "../app/time";
import { Badge, Card, Empty, formatNumber, Page, Problem } from "../ui/basic";
import { asApiError } from "../ui/load";
import type { ApiError } from "../api/client";
import { GroupPicker } from "./group_picker";
import { EventDialog } from "./insights";

interface Line {
  id: string;
  time: number;
  group: string;
  stream: string;
  text: string;
}

const ringSize = 10_000;
const drawn = 400;

export default function Tail() {
  const groupText = param("groups").value;
  const groups = useMemo(() => (groupText ? groupText.split("\n") : []), [groupText]);
  const pattern = param("pattern").value;
  const [typed, setTyped] = useState(pattern);
  const [marks, setMarks] = useState(param("marks").value);
  const [paused, setPaused] = useState(false);
  const [ring, setRing] = useState<Line[]>([]);
  const [waiting, setWaiting] = useState<Line[]>([]);
  const [rate, setRate] = useState(0);
  const [error, setError] = useState<ApiError>();
  const [open, setOpen] = useState<Line>();
  const pausedNow = useRef(false);
  pausedNow.current = paused;

  useEffect(() => {
    setRing([]);
    setWaiting([]);
    if (groups.length === 0) return;
    const abort = new AbortController();
    const seen = new Set<string>();
    let since = serverNow() - 2000;
    const counts: number[] = [];
    const ask = async () => {
      const fresh: Line[] = [];
      const asked = since;
      for (const group of groups) {
        const page = await logs<{ events?: { eventId: string; timestamp: number; message: string; logStreamName: string }[] }>("FilterLogEvents", { logGroupName: group, startTime: Math.floor(asked), filterPattern: pattern, limit: 1000 }, abort.signal);
        for (const e of page.events ?? []) {
          if (seen.has(e.eventId)) continue;
          seen.add(e.eventId);
          fresh.push({ id: e.eventId, time: e.timestamp, group, stream: e.logStreamName, text: e.message });
          since = Math.max(since, e.timestamp - 5000);
        }
      }
      if (seen.size > 4 * ringSize) seen.clear();
      fresh.sort((a, b) => a.time - b.time);
      counts.push(fresh.length);
      if (counts.length > 10) counts.shift();
      setRate((counts.reduce((a, b) => a + b, 0) / counts.length) * 2);
      if (!fresh.length) return;
      if (pausedNow.current) setWaiting((old) => [...old, ...fresh].slice(-ringSize));
      else setRing((old) => [...old, ...fresh].slice(-ringSize));
    };
    const loop = async () => {
      while (!abort.signal.aborted) {
        try {
          await ask();
          setError(undefined);
        } catch (e) {
          if (!abort.signal.aborted) setError(asApiError(e));
        }
        await new Promise((resolve) => setTimeout(resolve, document.hidden ? 3000 : 500));
      }
    };
    void loop();
    return () => abort.abort();
  }, [groupText, pattern]);

  const go = () => {
    setRing((old) => [...old, ...waiting].slice(-ringSize));
    setWaiting([]);
    setPaused(false);
  };
  const terms = marks.split(/\s+/).filter(Boolean).slice(0, 5);
  return (
    <Page title="Live tail" actions={<Badge tone={paused ? "warn" : "ok"}>{paused ? `paused, ${formatNumber(waiting.length)} new` : `${formatNumber(rate)} lines/s`}</Badge>}>
      <Card>
        <GroupPicker chosen={groups} onChange={(chosen) => setParams({ groups: chosen.join("\n") })} />
        <form class="row run-row" onSubmit={(e) => { e.preventDefault(); setParams({ pattern: typed }, true); }}>
          <input class="grow mono" placeholder="Filter pattern" aria-label="Filter pattern" value={typed} onInput={(e) => setTyped(e.currentTarget.value)} />
          <button>Apply</button>
          <input placeholder="Highlight words" aria-label="Highlight words" value={marks} onInput={(e) => { setMarks(e.currentTarget.value); setParams({ marks: e.currentTarget.value }); }} />
          <button type="button" class={paused ? "primary" : ""} onClick={() => (paused ? go() : setPaused(true))}>{paused ? "Go on" : "Pause"}</button>
          <button type="button" onClick={() => setRing([])}>Clear</button>
        </form>
      </Card>
      {error && <Problem error={error} />}
      {groups.length === 0 ? (
        <Card><Empty title="Choose the log groups to watch" /></Card>
      ) : (
        <div class="tail" role="log" aria-live="off" aria-label="Events" tabIndex={0}>
          {ring.slice(-drawn).reverse().map((line) => (
            <button class="tail-line" key={line.id} onClick={() => setOpen(line)}>
              <span class="soft">{formatTime(line.time)}</span> {groups.length > 1 && <span class="soft">{line.group} </span>}
              <Marked text={line.text.slice(0, 2000)} terms={terms} />
            </button>
          ))}
          {ring.length === 0 && <p class="none">Waiting for lines…</p>}
          {ring.length > drawn && <p class="none">{formatNumber(ring.length - drawn)} older lines are kept.</p>}
        </div>
      )}
      {open && <EventDialog row={{ "@timestamp": new Date(open.time).toISOString(), "@log": open.group, "@logStream": open.stream, "@message": open.text }} onClose={() => setOpen(undefined)} />}
    </Page>
  );
}

function Marked({ text, terms }: { text: string; terms: string[] }) {
  if (!terms.length) return <>{text}</>;
  const escaped = terms.map((t) => t.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const parts = text.split(new RegExp(`(${escaped.join("|")})`, "i"));
  return (
    <>
      {parts.map((part) => {
        const at = terms.findIndex((t) => t.toLowerCase() === part.toLowerCase());
        return at >= 0 ? <mark class={"mark" + at}>{part}</mark> : part;
      })}
    </>
  );
}
