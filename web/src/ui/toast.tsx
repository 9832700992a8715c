// Toasts: what went wrong (with AWS's code and the request id) or right, for a few seconds.
import { signal } from "@preact/signals";

import { asApiError } from "./load";

interface Toast {
  id: number;
  kind: "error" | "done";
  title: string;
  text: string;
}

const toasts = signal<Toast[]>([]);
let next = 1;

function show(kind: Toast["kind"], title: string, text: string, ms: number) {
  const id = next++;
  toasts.value = [...toasts.value.slice(-3), { id, kind, title, text }];
  setTimeout(() => (toasts.value = toasts.value.filter((t) => t.id !== id)), ms);
}

export function done(title: string, text = ""): void {
  show("done", title, text, 4000);
}
export function failed(error: unknown): void {
  const e = asApiError(error);
  show("error", e.code, e.message + (e.requestId ? ` (request ${e.requestId})` : ""), 12000);
}
// Runs a change; says how it went; true when it went well.
export async function attempt(title: string, change: () => Promise<unknown>): Promise<boolean> {
  try {
    await change();
    done(title);
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((t) => (
        <div key={t.id} class={"toast " + t.kind}>
          <strong>{t.title}</strong>
          {t.text && <p>{t.text}</p>}
          <button class="icon" aria-label="Dismiss" onClick={() => (toasts.value = toasts.value.filter((x) => x.id !== t.id))}>×</button>
        </div>
      ))}
    </div>
  );
}
