// The frame around every page: navigation, account and region, time range, keys, toasts.
import type { ComponentType } from "preact";
import { Component } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { control } from "../api/client";
import { Asking } from "../ui/ask";
import { closeOnLeave, Dialog, Problem } from "../ui/basic";
import { asApiError } from "../ui/load";
import { Toasts } from "../ui/toast";
import { Login } from "./login";
import { Palette, paletteOpen } from "./palette";
import { entryOf, pages, type PageEntry } from "./pages";
import { go, href, route } from "./router";
import { mustSignIn, session, signOut } from "./session";
import { account, navOpen, region, theme, zone, type Theme } from "./settings";
import { clockOffset, frozenNow } from "./time";
import { TimePicker } from "./timepicker";

const regions = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "eu-north-1", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "ap-south-1", "sa-east-1", "ca-central-1"];

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" class="nav-icon">
      <path d={path} />
    </svg>
  );
}

function Navigation() {
  const here = entryOf(route.value.path);
  const groups = [...new Set(pages.map((p) => p.group))];
  return (
    <nav class={"nav " + (navOpen.value === "yes" ? "" : "narrow")} aria-label="Pages">
      <a class="brand" href={href(["overview"])}>
        <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M5 13c3-4 7-4 10-1s7 3 11-1M5 19c3-4 7-4 10-1s7 3 11-1M9 25c3-3 5-3 7-1s5 2 7-1" /></svg>
        <span>Fogwatch</span>
      </a>
      {groups.map((group) => (
        <div class="nav-group">
          <p>{group}</p>
          {pages
            .filter((p) => p.group === group)
            .map((p) => (
              <a href={href(p.path)} class={p === here ? "on" : ""} aria-current={p === here ? "page" : undefined} title={p.title}>
                <Icon path={p.icon} />
                <span>{p.title}</span>
              </a>
            ))}
        </div>
      ))}
      <button class="nav-fold" onClick={() => (navOpen.value = navOpen.value === "yes" ? "no" : "yes")} aria-label={navOpen.value === "yes" ? "Fold navigation" : "Unfold navigation"}>
        {navOpen.value === "yes" ? "«" : "»"}
      </button>
    </nav>
  );
}

function AccountMenu({ user }: { user: string }) {
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (menu.current) menu.current.open = false;
  }, [route.value.path.join("/")]);
  return (
    <details ref={menu} class="menu-box" onFocusOut={(e) => closeOnLeave(() => (e.currentTarget.open = false))(e)}>
      <summary title={"Account of " + user}>{user} <span aria-hidden="true">▾</span></summary>
      <div class="popover" tabIndex={-1}>
        <p><strong>{user}</strong><br /><small>account {account.value}</small></p>
        <a href={href(["keys"])}>Keys and policies</a>
        <button onClick={() => void signOut()}>Sign out</button>
      </div>
    </details>
  );
}

function Header() {
  const next: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
  return (
    <header class="top">
      <button class="menu" aria-label="Navigation" onClick={() => document.body.classList.toggle("nav-shown")}>☰</button>
      <button class="palette-button" onClick={() => (paletteOpen.value = true)}>
        <span>Search or jump to…</span> <kbd>Ctrl K</kbd>
      </button>
      <TimePicker />
      <label class="compact" title="Region">
        <span class="hidden">Region</span>
        <input list="regions" value={region.value} onChange={(e) => (region.value = e.currentTarget.value.trim() || "us-east-1")} aria-label="Region" size={12} />
      </label>
      <datalist id="regions">
        {regions.map((r) => (
          <option value={r} />
        ))}
      </datalist>
      {session.value.user ? <AccountMenu user={session.value.user} /> : <label class="compact account" title="Account">
        <input value={account.value} onChange={(e) => (account.value = /^\d{12}$/.test(e.currentTarget.value.trim()) ? e.currentTarget.value.trim() : "000000000000")} aria-label="Account" size={12} inputMode="numeric" />
      </label>}
      <button class="icon" onClick={() => (zone.value = zone.value === "utc" ? "local" : "utc")} title="Time zone">{zone.value === "utc" ? "UTC" : "Local"}</button>
      <button class="icon" onClick={() => (theme.value = next[theme.value])} title={"Theme: " + theme.value} aria-label={"Theme: " + theme.value}>
        {{ auto: "◐", light: "☀", dark: "☾" }[theme.value]}
      </button>
    </header>
  );
}

// A page that throws shows its error, not an empty window.
class Guard extends Component<{ name: string }, { error: unknown }> {
  override state = { error: undefined as unknown };
  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }
  override componentDidUpdate(before: { name: string }) {
    if (before.name !== this.props.name && this.state.error) this.setState({ error: undefined });
  }
  override render() {
    return this.state.error ? <Problem error={asApiError(this.state.error)} /> : this.props.children;
  }
}

const loaded = new Map<PageEntry, ComponentType>();

function CurrentPage() {
  const entry = entryOf(route.value.path);
  const [, redraw] = useState(0);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (!entry) go(["overview"]);
    else if (!loaded.has(entry))
      entry.load().then(
        (module) => {
          loaded.set(entry, module.default);
          redraw((n) => n + 1);
        },
        setError,
      );
  }, [entry]);
  if (error) return <Problem error={asApiError(error)} />;
  const View = entry && loaded.get(entry);
  return View ? (
    <Guard name={entry.title}>
      <View key={entry.title} />
    </Guard>
  ) : null;
}

// g then a letter jumps; ? shows the keys; Ctrl-K opens the palette.
function useKeys(showKeys: () => void) {
  useEffect(() => {
    let leader = 0;
    const onKey = (e: KeyboardEvent) => {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") {
        e.preventDefault();
        paletteOpen.value = true;
        return;
      }
      const at = e.target as HTMLElement;
      if (e.ctrlKey || e.metaKey || e.altKey || at.closest("input,textarea,select,[contenteditable]")) return;
      if (e.key === "?") showKeys();
      else if (e.key === "g") leader = Date.now();
      else if (Date.now() - leader < 1200) {
        const page = pages.find((p) => p.key === e.key);
        if (page) go(page.path);
        leader = 0;
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

// Ranges end at the server's "now", which the control plane can turn.
async function readClock() {
  try {
    const clock = await control<{ now: string; offset_ms: number; rate: number }>("GET", "clock");
    const now = Date.parse(clock.now);
    frozenNow.value = clock.rate === 0 ? now : undefined;
    const offset = now - Date.now();
    if (Math.abs(offset - clockOffset.value) > 1500) clockOffset.value = Math.abs(offset) < 1500 ? 0 : offset;
  } catch {
    // Without a control plane time is the browser's.
  }
}

export function Frame() {
  return mustSignIn() ? <Login /> : <Inside />;
}

function Inside() {
  const [keys, setKeys] = useState(false);
  useKeys(() => setKeys(true));
  useEffect(() => {
    void readClock();
    const timer = setInterval(() => !document.hidden && void readClock(), 10000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => document.body.classList.remove("nav-shown"), [route.value]);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>Skip to content</a>
      <Navigation />
      <div class="body">
        <Header />
        <main id="main" tabIndex={-1}>
          <CurrentPage />
        </main>
      </div>
      {paletteOpen.value && <Palette />}
      {keys && (
        <Dialog title="Keys" onClose={() => setKeys(false)}>
          <dl class="keys">
            <dt><kbd>Ctrl K</kbd></dt><dd>Search or jump to anything</dd>
            {pages.filter((p) => p.key).map((p) => (
              <>
                <dt><kbd>g</kbd> <kbd>{p.key}</kbd></dt>
                <dd>{p.title}</dd>
              </>
            ))}
            <dt><kbd>Ctrl Enter</kbd></dt><dd>Run the query in an editor</dd>
            <dt><kbd>?</kbd></dt><dd>This list</dd>
          </dl>
        </Dialog>
      )}
      <Asking />
      <Toasts />
    </>
  );
}
