// The way in, where a server asks who one is. The address stays, so that one lands where one wanted to go.
import { useEffect, useRef, useState } from "preact/hooks";

import { signIn, type Refusal } from "./session";

export function Login() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const [wait, setWait] = useState(0);
  const passwordField = useRef<HTMLInputElement>(null);
  const userField = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = "Sign in · Fogwatch";
    userField.current?.focus();
  }, []);
  useEffect(() => {
    if (wait <= 0) return;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    setRefusal(undefined);
    const refused = await signIn(user, password);
    if (!refused) return; // the frame takes over
    setBusy(false);
    setRefusal(refused);
    setWait(refused.seconds ?? 0);
    setPassword("");
    passwordField.current?.focus();
  };
  return (
    <main id="main" class="login">
      <form class="card" onSubmit={(e) => void submit(e)} aria-labelledby="login-title">
        <p class="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M5 13c3-4 7-4 10-1s7 3 11-1M5 19c3-4 7-4 10-1s7 3 11-1M9 25c3-3 5-3 7-1s5 2 7-1" /></svg>
          <span>Fogwatch</span>
        </p>
        <h1 id="login-title">Sign in</h1>
        <label class="field">
          <span>User</span>
          <input ref={userField} name="username" autocomplete="username" autocapitalize="none" spellcheck={false} required value={user} onInput={(e) => setUser(e.currentTarget.value)} />
        </label>
        <label class="field">
          <span>Password</span>
          <input ref={passwordField} name="password" type="password" autocomplete="current-password" required value={password} onInput={(e) => setPassword(e.currentTarget.value)} aria-describedby={refusal ? "login-problem" : undefined} aria-invalid={refusal ? true : undefined} />
        </label>
        {refusal && <p class="problem" id="login-problem" role="alert">{wait > 0 ? `Too many wrong passwords: wait ${wait} s.` : refusal.text}</p>}
        <button class="primary" type="submit" disabled={busy || wait > 0}>{busy ? "Signing in…" : "Sign in"}</button>
        <p><small>Users are made on the server: <code>fogwatch users add --file KEYS NAME</code></small></p>
      </form>
    </main>
  );
}
