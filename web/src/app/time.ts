// Time: the range that every page looks at, and how instants are written.
//
// A range is text that stays relative in links: "1h" (the last hour), "90m", or
// "1767225600000~1767229200000" (epoch milliseconds, absolute).
import { computed, effect, signal } from "@preact/signals";

import { param, setParams } from "./router";
import { zone } from "./settings";

export const presets = ["5m", "15m", "1h", "3h", "12h", "1d", "3d", "1w"] as const;
const unitMs: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

export interface Range {
  from: number; // epoch ms
  to: number;
}

// Milliseconds of "90m"; undefined for anything else.
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,6})([smhdw])$/.exec(text.trim());
  return match ? Number(match[1]) * unitMs[match[2]!]! : undefined;
}

// Epoch ms of ISO text, epoch seconds or ms, "now", "now-2h".
export function instant(text: string, now: number): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "now") return now;
  if (trimmed.startsWith("now-")) {
    const back = durationMs(trimmed.slice(4));
    return back === undefined ? undefined : now - back;
  }
  if (/^\d{9,10}$/.test(trimmed)) return Number(trimmed) * 1000;
  if (/^\d{12,13}$/.test(trimmed)) return Number(trimmed);
  const parsed = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(trimmed) || zone.value === "local" ? trimmed : trimmed + "Z");
  return Number.isNaN(parsed) ? undefined : parsed;
}

export function parseRange(text: string, now: number): Range {
  const [left, right] = text.split("~");
  if (left && right) {
    const from = instant(left, now);
    const to = instant(right, now);
    if (from !== undefined && to !== undefined && from < to) return { from, to };
  }
  return { from: now - (durationMs(text) ?? 36e5), to: now };
}

export const rangeText = param("range", "1h");
// The server's clock may be turned by the control plane; ranges end at its "now".
export const clockOffset = signal(0);
export const frozenNow = signal<number | undefined>(undefined);
export function serverNow(): number {
  return frozenNow.value ?? Date.now() + clockOffset.value;
}
// Bumped by the refresh button and the timer: views that depend on it read again.
export const refreshTick = signal(0);
export const range = computed<Range>(() => {
  refreshTick.value;
  return parseRange(rangeText.value, serverNow());
});

export function setRange(text: string): void {
  setParams({ range: text }, true);
}
export function zoomTo(from: number, to: number): void {
  if (to - from >= 1000) setRange(`${Math.round(from)}~${Math.round(to)}`);
}
export function zoomOut(): void {
  const { from, to } = range.value;
  const half = (to - from) / 2;
  setRange(`${Math.round(from - half)}~${Math.round(Math.min(to + half, serverNow()))}`);
}
export function step(direction: 1 | -1): void {
  const { from, to } = range.value;
  const by = ((to - from) / 2) * direction;
  setRange(`${Math.round(from + by)}~${Math.round(to + by)}`);
}

export const autoRefresh = param("refresh", "off");
let timer: ReturnType<typeof setInterval> | undefined;
effect(() => {
  clearInterval(timer);
  const every = durationMs(autoRefresh.value);
  if (every) timer = setInterval(() => !document.hidden && refreshTick.value++, every);
});

const two = (n: number) => String(n).padStart(2, "0");

// 2026-11-22 14:03:05.123 in the reader's zone.
export function formatTime(ms: number, withMs = true): string {
  const d = new Date(ms);
  if (Number.isNaN(d.getTime())) return String(ms);
  const u = zone.value === "utc";
  const date = `${u ? d.getUTCFullYear() : d.getFullYear()}-${two((u ? d.getUTCMonth() : d.getMonth()) + 1)}-${two(u ? d.getUTCDate() : d.getDate())}`;
  const time = `${two(u ? d.getUTCHours() : d.getHours())}:${two(u ? d.getUTCMinutes() : d.getMinutes())}:${two(u ? d.getUTCSeconds() : d.getSeconds())}`;
  return `${date} ${time}${withMs ? "." + String(d.getTime() % 1000).padStart(3, "0") : ""}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
  if (ms < 6e4) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 36e5) return `${Math.floor(ms / 6e4)} min ${Math.round((ms % 6e4) / 1000)} s`;
  if (ms < 864e5) return `${Math.floor(ms / 36e5)} h ${Math.round((ms % 36e5) / 6e4)} min`;
  return `${Math.floor(ms / 864e5)} d ${Math.round((ms % 864e5) / 36e5)} h`;
}

export function ago(ms: number): string {
  const past = serverNow() - ms;
  return past < 0 ? "in " + formatDuration(-past) : past < 1500 ? "just now" : formatDuration(past) + " ago";
}

// A period (seconds) that gives a chart a few hundred points, one that metrics accept.
export function periodFor({ from, to }: Range, points = 300): number {
  const wanted = (to - from) / 1000 / points;
  for (const p of [1, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400]) if (p >= wanted) return p;
  return 604800;
}
