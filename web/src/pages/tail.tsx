// Live tail: new lines as they arrive, from several groups, with a filter pattern and highlights.
//
// A ring keeps the newest 10,000. Pausing, or scrolling away from the newest line, holds the view
// still and counts what comes.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import type { ApiError } from "../api/client";
import { param, setParams } from "../app/router";
import { formatTime } from "../app/time";
import { Badge, Card, cli, Empty, formatNumber, Page, Problem, quote } from "../ui/basic";
import { asApiError } from "../ui/load";
import { EventDialog } from "./event_dialog";
import { GroupPicker } from "./group_picker";
import { watchLines, type Line } from "./tail_source";

const ringSize = 10_000;
const drawn = 400;
const rateSeconds = 5;

export default function Tail() {
  const groupText = param("groups").value;
  const groups = useMemo(() => (groupText ? groupText.split("\n") : []), [groupText]);
  const pattern = param("pattern").value;
  const bottom = param("newest").value === "bottom";
  const marks = param("marks").value;
  const [typed, setTyped] = useState(pattern);
  const [paused, setPaused] = useState(false);
  const [ring, setRing] = useState<Line[]>([]);
  const [waiting, setWaiting] = useState<Line[]>([]);
  const [rate, setRate] = useState(0);
  const [dropped, setDropped] = useState(0);
  const [source, setSource] = useState("");
  const [error, setError] = useState<ApiError>();
  const [open, setOpen] = useState<Line>();
  const view = useRef<HTMLDivElement>(null);
  const holds = useRef(false);
  holds.current = paused;

  useEffect(() => {
    setRing([]);
    setWaiting([]);
    setDropped(0);
    if (groups.length === 0) return;
    const abort = new AbortController();
    const arrivals: number[] = [];
    const join = (old: Line[], fresh: Line[]) => {
      const all = [...old, ...fresh];
      if (all.length > ringSize) setDropped((n) => n + all.length - ringSize);
      return all.slice(-ringSize);
    };
    void watchLines({
      groups,
      pattern,
      signal: abort.signal,
      onSource: setSource,
      onError: (e) => setError(e === undefined ? undefined : asApiError(e)),
      onLines: (fresh) => {
        const now = performance.now();
        for (let i = 0; i < fresh.length; i++) arrivals.push(now);
        if (fresh.length) (holds.current ? setWaiting : setRing)((old) => join(old, fresh));
      },
    });
    const timer = setInterval(() => {
      const since = performance.now() - rateSeconds * 1000;
      while (arrivals.length && arrivals[0]! < since) arrivals.shift();
      setRate(arrivals.length / rateSeconds);
    }, 500);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [groupText, pattern]);

  const go = () => {
    setRing((old) => [...old, ...waiting].slice(-ringSize));
    setWaiting([]);
    setPaused(false);
    view.current?.scrollTo(0, bottom ? view.current.scrollHeight : 0);
  };
  // With the newest at the bottom the view follows; reading further up holds it.
  useEffect(() => {
    if (bottom && !paused) view.current?.scrollTo(0, view.current.scrollHeight);
  }, [ring, bottom]);
  const onScroll = (e: { currentTarget: HTMLElement }) => {
    const { scrollTop, scrollHeight, clientHeight } = e.currentTarget;
    const away = bottom ? scrollHeight - clientHeight - scrollTop > 60 : scrollTop > 60;
    if (away && !paused) setPaused(true);
  };
  const terms = marks.split(/\s+/).filter(Boolean).slice(0, 5);
  const shown = ring.slice(-drawn);
  if (!bottom) shown.reverse();
  return (
    <Page
      title="Live tail"
      actions={
        groups.length > 0 && (
          <>
            {dropped > 0 && <small>{formatNumber(dropped)} dropped</small>}
            {source && <small>by {source}</small>}
            <Badge tone={paused ? "warn" : "ok"}>{paused ? `paused, ${formatNumber(waiting.length)} new` : `${formatNumber(rate)} lines/s`}</Badge>
          </>
        )
      }
    >
      <Card>
        <GroupPicker chosen={groups} onChange={(chosen) => setParams({ groups: chosen.join("\n") })} />
        <form class="row run-row" onSubmit={(e) => { e.preventDefault(); setParams({ pattern: typed }, true); }}>
          <input class="grow mono" placeholder="Filter pattern" aria-label="Filter pattern" value={typed} onInput={(e) => setTyped(e.currentTarget.value)} />
          <button>Apply</button>
          <input placeholder="Highlight words" aria-label="Highlight words" value={marks} onInput={(e) => setParams({ marks: e.currentTarget.value })} />
          <select aria-label="Newest line" value={bottom ? "bottom" : "top"} onChange={(e) => setParams({ newest: e.currentTarget.value === "bottom" ? "bottom" : undefined })}><option value="top">Newest at the top</option><option value="bottom">Newest at the bottom</option></select>
          <button type="button" class={paused ? "primary" : ""} onClick={() => (paused ? go() : setPaused(true))}>{paused ? `Go on (${formatNumber(waiting.length)} new)` : "Pause"}</button>
          <button type="button" onClick={() => { setRing([]); setWaiting([]); }}>Clear</button>
        </form>
      </Card>
      {error && <Problem error={error} />}
      {groups.length === 0 ? (
        <Card><Empty title="Choose the log groups to watch" text="New lines stand here as they arrive. The same in a terminal:" command={cli("logs tail /my/group --follow")} /></Card>
      ) : (
        <div class="tail" ref={view} onScroll={onScroll} role="log" aria-live="off" aria-label="Events" tabIndex={0}>
          {ring.length > drawn && bottom && <p class="none">{formatNumber(ring.length - drawn)} older lines are kept.</p>}
          {shown.map((line) => (
            <button class="tail-line" key={line.id} onClick={() => setOpen(line)}>
              <span class="soft">{formatTime(line.time)}</span> {groups.length > 1 && <span class="soft">{line.group} </span>}
              <Marked text={line.text.slice(0, 2000)} terms={terms} />
            </button>
          ))}
          {ring.length === 0 && <p class="none">Waiting for lines… <code>{cli(`logs put-log-events --log-group-name ${quote(groups[0]!)} …`)}</code></p>}
          {ring.length > drawn && !bottom && <p class="none">{formatNumber(ring.length - drawn)} older lines are kept.</p>}
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
