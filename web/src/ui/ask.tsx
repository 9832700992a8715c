// Asks before what cannot be undone:   if (await sure("Delete /app and all its events?")) ...
import { signal } from "@preact/signals";

import { Dialog } from "./basic";
import { attempt } from "./toast";

const asked = signal<{ text: string; verb: string; answer: (yes: boolean) => void } | undefined>(undefined);

export function sure(text: string, verb = "Delete"): Promise<boolean> {
  return new Promise((answer) => (asked.value = { text, verb, answer }));
}

// Asks, then changes, then says how it went; true when it was done.
export async function attemptIfSure(question: string, title: string, change: () => Promise<unknown>, verb = "Delete"): Promise<boolean> {
  return (await sure(question, verb)) && (await attempt(title, change));
}

export function Asking() {
  const question = asked.value;
  if (!question) return null;
  const say = (yes: boolean) => {
    asked.value = undefined;
    question.answer(yes);
  };
  return (
    <Dialog title="Are you sure?" onClose={() => say(false)}>
      <p>{question.text}</p>
      <div class="row run-row">
        <button class="danger" onClick={() => say(true)}>{question.verb}</button>
        <button onClick={() => say(false)}>Cancel</button>
      </div>
    </Dialog>
  );
}
