// Small parts that every page uses.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { ApiError } from "../api/client";
import { done } from "./toast";

export function Page(props: { title: string; crumbs?: { text: string; href: string }[]; actions?: ComponentChildren; children: ComponentChildren }) {
  useEffect(() => {
    document.title = props.title + " · Fogwatch";
  }, [props.title]);
  return (
    <section class="page">
      <header class="page-head">
        <div>
          {props.crumbs && (
            <nav class="crumbs" aria-label="Breadcrumb">
              {props.crumbs.map((c) => (
                <a href={c.href}>{c.text}</a>
              ))}
            </nav>
          )}
          <h1>{props.title}</h1>
        </div>
        {props.actions && <div class="actions">{props.actions}</div>}
      </header>
      {props.children}
    </section>
  );
}

export function Card(props: { title?: ComponentChildren; actions?: ComponentChildren; class?: string; children: ComponentChildren }) {
  return (
    <section class={"card " + (props.class ?? "")}>
      {(props.title || props.actions) && (
        <header class="card-head">
          <h2>{props.title}</h2>
          {props.actions && <div class="actions">{props.actions}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}

export function Problem({ error }: { error: ApiError }) {
  return (
    <div class="problem" role="alert">
      <strong>{error.code}</strong> {error.message}
      {error.requestId && <small> request {error.requestId}</small>}
    </div>
  );
}

// An empty page says what would fill it: a command to copy, with this server's address in it.
export function Empty(props: { title: string; text?: string; command?: string | undefined }) {
  return (
    <div class="empty">
      <p class="empty-title">{props.title}</p>
      {props.text && <p>{props.text}</p>}
      {props.command && <Command text={props.command} />}
    </div>
  );
}

export function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <pre tabIndex={0}>{text}</pre>
      <button onClick={() => copy(text)}>Copy</button>
    </div>
  );
}

export function copy(text: string): void {
  navigator.clipboard.writeText(text).then(
    () => done("Copied"),
    () => done("Copying is not allowed here"),
  );
}

export const endpoint = () => location.origin;
// A CLI line with this server's address, as a reader can paste it.
export function cli(line: string): string {
  return `aws --endpoint-url ${endpoint()} ${line}`;
}
// Quotes for a POSIX shell.
export const quote = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replaceAll("'", `'\\''`) + "'");

export function CliButton({ line }: { line: string }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button onClick={() => setOpen(true)} title="Show as CLI command">CLI</button>
      {open && (
        <Dialog title="The same by AWS CLI" onClose={() => setOpen(false)}>
          <Command text={cli(line)} />
        </Dialog>
      )}
    </>
  );
}

export function Dialog(props: { title: string; onClose: () => void; wide?: boolean; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
    // A step to another view leaves no dialog behind.
    const close = () => element.current?.close();
    addEventListener("hashchange", close);
    return () => removeEventListener("hashchange", close);
  }, []);
  return (
    <dialog ref={element} class={props.wide ? "wide" : ""} onClose={props.onClose} aria-label={props.title}>
      <header class="card-head">
        <h2>{props.title}</h2>
        <button class="icon" aria-label="Close" onClick={() => element.current?.close()}>×</button>
      </header>
      {props.children}
    </dialog>
  );
}

export function Field(props: { label: string; hint?: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{props.label}</span>
      {props.children}
      {props.hint && <small>{props.hint}</small>}
    </label>
  );
}

export function Tabs<T extends string>(props: { tabs: readonly (readonly [T, string])[]; at: T; onChange: (tab: T) => void }) {
  return (
    <div class="tabs" role="tablist">
      {props.tabs.map(([id, text]) => (
        <button role="tab" aria-selected={id === props.at} class={id === props.at ? "on" : ""} onClick={() => props.onChange(id)}>
          {text}
        </button>
      ))}
    </div>
  );
}

// For an element with something folded out: closes it when the focus goes elsewhere. What is folded
// out has tabIndex -1, so that a click into it keeps the focus inside.
export const closeOnLeave = (close: () => void) => (e: FocusEvent) => !(e.currentTarget as Element).contains(e.relatedTarget as Node | null) && close();

export type Tone = "ok" | "warn" | "bad" | "idle" | "info";
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={"badge " + tone}>{children}</span>;
}
export const stateTone = (state: string): Tone => (state === "ALARM" ? "bad" : state === "OK" ? "ok" : "idle");

export function Stat(props: { label: string; value: ComponentChildren; tone?: Tone; href?: string; note?: string }) {
  const body = (
    <>
      <span class="stat-label">{props.label}</span>
      <span class={"stat-value " + (props.tone ?? "")}>{props.value}</span>
      {props.note && <small>{props.note}</small>}
    </>
  );
  return props.href ? <a class="stat" href={props.href}>{body}</a> : <div class="stat">{body}</div>;
}

export function Search(props: { value: string; onInput: (text: string) => void; label: string ; onFocus?: () => void }) {
  const { value, onInput, label, ...rest } = props;
  return <input type="search" value={value} placeholder={label} aria-label={label} onInput={(e) => onInput(e.currentTarget.value)} {...rest} />;
}

export function formatNumber(n: number): string {
  if (!Number.isFinite(n)) return String(n);
  const abs = Math.abs(n);
  if (abs >= 1e15 || (abs > 0 && abs < 1e-4)) return n.toExponential(2);
  return n.toLocaleString("en-US", { maximumFractionDigits: abs >= 100 ? 1 : 4 });
}
export function formatBytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i === 0 ? n : n.toFixed(1)} ${units[i]}`;
}
