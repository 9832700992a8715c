// Who is signed in. The cookie is out of any script's reach; here is only what the server says of it.
import { signal } from "@preact/signals";

import { account } from "./settings";

export interface Session {
  required: boolean; // false: this server asks nobody who they are
  user: string | null;
  account?: string;
}

export const session = signal<Session>({ required: false, user: null });
export const mustSignIn = () => session.value.required && !session.value.user;

// The account is the user's: there is nothing to choose.
function enter(now: Session): void {
  if (now.account) account.value = now.account;
  session.value = now;
}

export async function readSession(): Promise<void> {
  try {
    const response = await fetch("/_fogwatch/session", { headers: { "X-Fogwatch-Console": "idle" } });
    if (response.ok) enter((await response.json()) as Session);
  } catch {
    // The server does not answer: the pages will say so.
  }
}

// A call was refused because the session is over: the same address shows the way in, and then the page again.
export function sessionEnded(): void {
  if (session.value.user) session.value = { required: true, user: null };
  else if (!session.value.required) void readSession();
}

export interface Refusal {
  text: string;
  seconds?: number; // to wait before the next attempt
}

export async function signIn(user: string, password: string): Promise<Refusal | undefined> {
  let response: Response;
  try {
    response = await fetch("/_fogwatch/login", { method: "POST", headers: { "Content-Type": "application/json", "X-Fogwatch-Console": "1" }, body: JSON.stringify({ user, password }) });
  } catch {
    return { text: "The server does not answer." };
  }
  const out = (await response.json().catch(() => ({}))) as { user?: string; account?: string; error?: { message: string } };
  if (response.ok && out.user) {
    enter({ required: true, user: out.user, ...(out.account ? { account: out.account } : {}) });
    return undefined;
  }
  const seconds = Number(response.headers.get("retry-after"));
  return { text: out.error?.message ?? `The server answered ${response.status}.`, ...(seconds > 0 ? { seconds } : {}) };
}

export async function signOut(): Promise<void> {
  await fetch("/_fogwatch/logout", { method: "POST", headers: { "X-Fogwatch-Console": "1" } }).catch(() => undefined);
  session.value = { required: true, user: null };
}

// What refreshes itself on a screen that nobody touches keeps no session alive.
const idleMs = 60_000;
let touched = Date.now();
for (const event of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) addEventListener(event, () => (touched = Date.now()), { passive: true, capture: true });
export const consoleHeader = () => ({ "X-Fogwatch-Console": Date.now() - touched > idleMs ? "idle" : "1" });
