// The command palette: pages, log groups, metrics, alarms, dashboards, topics by name, traces by id.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { allAlarms } from "../api/alarms";
import { cloudwatch, logs, sns } from "../api/client";
import { pages } from "./pages";
import { go } from "./router";

export const paletteOpen = signal(false);

interface Entry {
  kind: string;
  text: string;
  path: string[];
  params?: Record<string, string>;
}

async function resources(): Promise<Entry[]> {
  const settle = async <T,>(read: Promise<T>, entries: (value: T) => Entry[]) => read.then(entries, () => []);
  const lists = await Promise.all([
    settle(logs<{ logGroups: { logGroupName: string }[] }>("DescribeLogGroups", { limit: 50 }), (v) =>
      v.logGroups.map((g) => ({ kind: "Log group", text: g.logGroupName, path: ["logs", "groups", g.logGroupName] }))),
    settle(cloudwatch<{ Metrics?: { Namespace: string; MetricName: string; Dimensions?: { Name: string; Value: string }[] }[] }>("ListMetrics"), (v) =>
      (v.Metrics ?? []).map((m) => ({ kind: "Metric", text: [m.Namespace, m.MetricName, ...(m.Dimensions ?? []).map((d) => `${d.Name}=${d.Value}`)].join(" "), path: ["metrics"], params: { ns: m.Namespace, rows: JSON.stringify([{ id: "m1", metric: m, stat: "Average" }]) } }))),
    settle(allAlarms(), (v) => v.map((a) => ({ kind: "Alarm", text: a.AlarmName, path: ["alarms", a.AlarmName] }))),
    settle(cloudwatch<{ DashboardEntries?: { DashboardName: string }[] }>("ListDashboards"), (v) =>
      (v.DashboardEntries ?? []).map((d) => ({ kind: "Dashboard", text: d.DashboardName, path: ["dashboards", d.DashboardName] }))),
    settle(sns<{ Topics?: { TopicArn: string }[] }>("ListTopics"), (v) =>
      (v.Topics || []).map((t) => ({ kind: "Topic", text: t.TopicArn.split(":").at(-1)!, path: ["topics", t.TopicArn] }))),
  ]);
  return lists.flat();
}

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [found, setFound] = useState<Entry[]>([]);
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
    void resources().then(setFound);
  }, []);
  const entries = useMemo(() => {
    const all: Entry[] = [...pages.map((p) => ({ kind: "Page", text: p.title, path: p.path })), ...found];
    if (/^1-[0-9a-f]{8}-[0-9a-f]{24}$/.test(text.trim())) all.unshift({ kind: "Trace", text: text.trim(), path: ["traces", text.trim()] });
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter((e) => words.every((w) => (e.kind + " " + e.text).toLowerCase().includes(w))).slice(0, 40);
  }, [text, found]);
  const choose = (entry: Entry | undefined) => {
    if (!entry) return;
    element.current?.close();
    go(entry.path, entry.params);
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === "ArrowDown") setAt(Math.min(at + 1, entries.length - 1));
    else if (e.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (e.key === "Enter") choose(entries[at]);
    else return;
    e.preventDefault();
  };
  return (
    <dialog ref={element} class="palette" onClose={() => (paletteOpen.value = false)} aria-label="Search">
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={entries[at] ? "palette-" + at : undefined}
        placeholder="A page, log group, metric, alarm, dashboard, topic or trace id"
        aria-label="Search"
        value={text}
        onInput={(e) => {
          setText(e.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKey}
        autofocus
      />
      <ul id="palette-list" role="listbox" aria-label="Results">
        {entries.map((entry, i) => (
          <li id={"palette-" + i} role="option" aria-selected={i === at} class={i === at ? "on" : ""} onClick={() => choose(entry)}>
            <small>{entry.kind}</small> {entry.text}
          </li>
        ))}
      </ul>
    </dialog>
  );
}
