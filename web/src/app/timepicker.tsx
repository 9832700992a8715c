// The time range picker: presets, typed ranges, steps, auto refresh.
import { useState } from "preact/hooks";

import { closeOnLeave } from "../ui/basic";
import { failed } from "../ui/toast";
import { ApiError } from "../api/client";
import { setParams } from "./router";
import { autoRefresh, durationMs, formatTime, instant, presets, range, rangeText, refreshTick, serverNow, setRange, step, zoomOut } from "./time";

const words: Record<string, string> = { "5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour", "3h": "3 hours", "12h": "12 hours", "1d": "1 day", "3d": "3 days", "1w": "1 week" };

export function TimePicker() {
  const [open, setOpen] = useState(false);
  const text = rangeText.value;
  const absolute = text.includes("~");
  const label = absolute ? `${formatTime(range.value.from, false)} – ${formatTime(range.value.to, false)}` : "Last " + (words[text] ?? text);
  return (
    <div class="timepicker" onFocusOut={closeOnLeave(() => setOpen(false))}>
      <button class="icon" aria-label="Earlier" title="Earlier" onClick={() => step(-1)}>‹</button>
      <button aria-expanded={open} aria-haspopup="dialog" onClick={() => setOpen(!open)}>{label}</button>
      <button class="icon" aria-label="Later" title="Later" onClick={() => step(1)}>›</button>
      <button class="icon" aria-label="Zoom out" title="Zoom out" onClick={zoomOut}>−</button>
      <button class="icon" aria-label="Refresh" title="Refresh" onClick={() => refreshTick.value++}>⟳</button>
      <select aria-label="Auto refresh" value={autoRefresh.value} onChange={(e) => setParams({ refresh: e.currentTarget.value === "off" ? undefined : e.currentTarget.value })}>
        {["off", "5s", "10s", "30s", "1m", "5m"].map((v) => (
          <option value={v}>{v === "off" ? "Auto off" : "Every " + v}</option>
        ))}
      </select>
      {open && <Choices onDone={() => setOpen(false)} />}
    </div>
  );
}

function Choices({ onDone }: { onDone: () => void }) {
  const [relative, setRelative] = useState("");
  const [from, setFrom] = useState(formatTime(range.value.from, false));
  const [to, setTo] = useState(formatTime(range.value.to, false));
  const choose = (text: string) => {
    setRange(text);
    onDone();
  };
  const absolute = () => {
    const now = serverNow();
    const a = instant(from, now);
    const b = instant(to, now);
    if (a === undefined || b === undefined || a >= b) failed(new ApiError("Time range", "Write two instants, the first before the second: ISO text, epoch seconds or milliseconds, now, now-2h.", "", 0));
    else choose(`${a}~${b}`);
  };
  return (
    <div class="popover" tabIndex={-1} role="dialog" aria-label="Time range" onKeyDown={(e) => e.key === "Escape" && onDone()}>
      <div class="presets">
        {presets.map((p) => (
          <button class={rangeText.value === p ? "on" : ""} onClick={() => choose(p)}>{p}</button>
        ))}
      </div>
      <form onSubmit={(e) => { e.preventDefault(); if (durationMs(relative)) choose(relative.trim()); }}>
        <label class="field"><span>Last</span><input value={relative} placeholder="90m, 36h, 2w" onInput={(e) => setRelative(e.currentTarget.value)} /></label>
        <button>Apply</button>
      </form>
      <form onSubmit={(e) => { e.preventDefault(); absolute(); }}>
        {([["From", from, setFrom], ["To", to, setTo]] as const).map(([name, value, set]) => (
          <label class="field">
            <span>{name}</span>
            <span class="row tight">
              <input class="grow" value={value} onInput={(e) => set(e.currentTarget.value)} />
              <input type="datetime-local" class="calendar" step="1" aria-label={`${name}, calendar`} onChange={(e) => e.currentTarget.value && set(e.currentTarget.value.replace("T", " "))} />
            </span>
          </label>
        ))}
        <button>Apply</button>
      </form>
    </div>
  );
}
