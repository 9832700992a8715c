// Two traces side by side: where the time went in one and in the other, by the way to each span.
import { useMemo, useState } from "preact/hooks";

import { xray } from "../api/client";
import { param, setParams } from "../app/router";
import { formatDuration, formatTime, range } from "../app/time";
import { Badge, Card, Field, Problem } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import { readTrace, spansOf, type Span } from "./trace_data";

interface Sum {
  way: string; // "gateway > inference > gpt-4"
  here: number; // ms, of all spans that this way leads to
  there: number;
  counts: [number, number];
}

// The names from the root to every span; equal steps below each other count once.
function waysOf(spans: Span[]): Map<string, { ms: number; count: number }> {
  const ways: string[] = [];
  const sums = new Map<string, { ms: number; count: number }>();
  spans.forEach((s, i) => {
    const above = s.parent >= 0 ? ways[s.parent]! : "";
    ways[i] = above.split(" > ").at(-1) === s.doc.name ? above : above ? `${above} > ${s.doc.name}` : s.doc.name;
    const old = sums.get(ways[i]!);
    if (!old) sums.set(ways[i]!, { ms: s.length, count: 1 });
    else if (ways[i] !== above) {
      old.ms += s.length;
      old.count++;
    }
  });
  return sums;
}

export function TraceCompare({ id, spans }: { id: string; spans: Span[] }) {
  const other = param("with").value;
  const [typed, setTyped] = useState(other);
  const near = useLoad(async (s) => ((await xray<{ TraceSummaries?: { Id: string; Duration?: number; HasFault?: boolean }[] }>("TraceSummaries", { StartTime: Math.max(range.value.from, range.value.to - 864e5) / 1000, EndTime: range.value.to / 1000 }, s)).TraceSummaries ?? []).filter((t) => t.Id !== id).slice(0, 200), [range.value]);
  const read = useLoad(async (s) => (other ? spansOf(await readTrace(other, s)) : undefined), [other]);
  const rows = useMemo((): Sum[] => {
    const [a, b] = [waysOf(spans), waysOf(read.value ?? [])];
    return [...new Set([...a.keys(), ...b.keys()])].map((way) => ({ way, here: a.get(way)?.ms ?? 0, there: b.get(way)?.ms ?? 0, counts: [a.get(way)?.count ?? 0, b.get(way)?.count ?? 0] }));
  }, [spans, read.value]);
  const columns = useMemo((): Column<Sum>[] => [
    { id: "way", title: "Way", value: (r) => r.way, cell: (r) => <span title={r.way}>{r.way}</span> },
    { id: "n", title: "Spans", value: (r) => r.counts[0], cell: (r) => `${r.counts[0]} / ${r.counts[1]}` },
    { id: "here", title: "This trace", numeric: true, value: (r) => r.here, cell: (r) => (r.counts[0] ? formatDuration(r.here) : "–") },
    { id: "there", title: "The other", numeric: true, value: (r) => r.there, cell: (r) => (r.counts[1] ? formatDuration(r.there) : "–") },
    { id: "difference", title: "Difference", numeric: true, value: (r) => r.here - r.there, cell: (r) => <Badge tone={Math.abs(r.here - r.there) < 1 ? "idle" : r.here > r.there ? "bad" : "ok"}>{(r.here > r.there ? "+" : "−") + formatDuration(Math.abs(r.here - r.there))}</Badge> },
  ], []);
  return (
    <Card>
      <form class="row" onSubmit={(e) => { e.preventDefault(); setParams({ with: typed.trim() || undefined }, true); }}>
        <Field label="With the trace"><input class="mono" size={38} list="traces-near" value={typed} placeholder="1-…" onInput={(e) => setTyped(e.currentTarget.value)} /></Field>
        <datalist id="traces-near">{near.value?.map((t) => <option value={t.Id}>{`${formatTime(parseInt(t.Id.slice(2, 10), 16) * 1000, false)}, ${formatDuration((t.Duration ?? 0) * 1000)}${t.HasFault ? ", fault" : ""}`}</option>)}</datalist>
        <button class="primary">Compare</button>
      </form>
      {read.error && <Problem error={read.error} />}
      {other && read.value?.length === 0 && <p class="none">No trace of this id is stored here.</p>}
      {!!read.value?.length && <ListTable name="compare" param="way" label="Ways" columns={columns} rows={rows} rowKey={(r) => r.way} sort={{ by: "difference", down: true }} />}
    </Card>
  );
}
