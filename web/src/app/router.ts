// The router: the address bar is the state.
//
//   #/logs/insights?q=...&range=1h   ->   route.path = ["logs", "insights"], params q, range
//
// A view keeps everything that a colleague should see in the params, by `param` (a signal of one
// parameter, written back without a new history entry unless asked).
import { computed, signal, type ReadonlySignal } from "@preact/signals";

export interface Route {
  path: string[];
  params: URLSearchParams;
}

// A link may have been cut in the middle of an escape.
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parse(hash: string): Route {
  const text = hash.replace(/^#\/?/, "");
  const at = text.indexOf("?");
  const path = (at < 0 ? text : text.slice(0, at)).split("/").filter(Boolean).map(decode);
  return { path, params: new URLSearchParams(at < 0 ? "" : text.slice(at + 1)) };
}

export const route = signal<Route>(parse(location.hash));
addEventListener("hashchange", () => (route.value = parse(location.hash)));

export function href(path: string[], params?: Record<string, string | undefined>): string {
  const query = new URLSearchParams();
  // The frame's own choices travel along with every link.
  for (const key of ["range", "region", "account"]) {
    const kept = route.value.params.get(key);
    if (kept) query.set(key, kept);
  }
  for (const [key, value] of Object.entries(params ?? {})) {
    if (value === undefined || value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  return "#/" + path.map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}

export function go(path: string[], params?: Record<string, string | undefined>): void {
  location.hash = href(path, params);
}

// Changes parameters of the present view; `push` makes a history entry (a step one can go back).
export function setParams(changes: Record<string, string | undefined>, push = false): void {
  const target = href(route.value.path, { ...Object.fromEntries(route.value.params), ...changes });
  if (target === location.hash) return;
  if (push) location.hash = target;
  else {
    history.replaceState(null, "", target);
    route.value = parse(target);
  }
}

export function param(name: string, fallback = ""): ReadonlySignal<string> {
  return computed(() => route.value.params.get(name) ?? fallback);
}
