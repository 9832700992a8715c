// Where live tail's lines come from: the StartLiveTail event stream, or, with a server that does not
// have it, FilterLogEvents asked twice a second for what is newer than the last line.
import { ApiError, logs, logsStream } from "../api/client";
import { readEventStream } from "../api/event_stream";
import { serverNow } from "../app/time";

export interface Line {
  id: string;
  time: number;
  group: string;
  stream: string;
  text: string;
}
export interface Watch {
  groups: string[];
  pattern: string;
  signal: AbortSignal;
  onLines: (lines: Line[], sampled: boolean) => void;
  onError: (error: unknown) => void; // undefined: it goes well again
  onSource: (name: string) => void;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const groupName = (identifier: string) => identifier.replace(/^.*:log-group:/, "").replace(/:\*$/, "").replace(/^\d{12}:/, "");
let nextId = 0;

export async function watchLines(w: Watch): Promise<void> {
  let isPolling = false;
  while (!w.signal.aborted) {
    try {
      if (isPolling) await poll(w);
      else await stream(w);
    } catch (e) {
      if (w.signal.aborted) return;
      if (e instanceof ApiError && /UnknownOperation/.test(e.code)) {
        isPolling = true;
        continue;
      }
      w.onError(e);
    }
    await pause(isPolling ? (document.hidden ? 3000 : 500) : 1000); // a session ends after three hours
  }
}

interface Session {
  sessionMetadata?: { sampled?: boolean };
  sessionResults?: { logGroupIdentifier?: string; logStreamName?: string; timestamp?: number; message?: string }[];
  message?: string;
  Message?: string;
}

async function stream(w: Watch): Promise<void> {
  const arns = await Promise.all(
    w.groups.map(async (name) => (await logs<{ logGroups?: { logGroupName: string; logGroupArn?: string }[] }>("DescribeLogGroups", { logGroupNamePrefix: name }, w.signal)).logGroups?.find((g) => g.logGroupName === name)?.logGroupArn ?? name),
  );
  const body = await logsStream("StartLiveTail", { logGroupIdentifiers: arns, ...(w.pattern ? { logEventFilterPattern: w.pattern } : {}) }, w.signal);
  w.onSource("StartLiveTail");
  w.onError(undefined);
  for await (const event of readEventStream(body)) {
    const payload = event.payload as Session;
    if (event.isException) throw new ApiError(event.type, payload.message ?? payload.Message ?? "", "", 200);
    if (event.type !== "sessionUpdate") continue;
    w.onLines(
      (payload.sessionResults ?? []).map((r) => ({ id: `s${nextId++}`, time: r.timestamp ?? 0, group: groupName(r.logGroupIdentifier ?? ""), stream: r.logStreamName ?? "", text: r.message ?? "" })),
      payload.sessionMetadata?.sampled ?? false,
    );
  }
}

const seen = new Map<AbortSignal, { ids: Set<string>; since: number }>();

async function poll(w: Watch): Promise<void> {
  let memory = seen.get(w.signal);
  if (!memory) {
    memory = { ids: new Set(), since: serverNow() - 2000 };
    seen.set(w.signal, memory);
    w.signal.addEventListener("abort", () => seen.delete(w.signal));
    w.onSource("FilterLogEvents");
  }
  const lines: Line[] = [];
  const asked = memory.since;
  for (const group of w.groups) {
    const page = await logs<{ events?: { eventId: string; timestamp: number; message: string; logStreamName: string }[] }>("FilterLogEvents", { logGroupName: group, startTime: Math.floor(asked), ...(w.pattern ? { filterPattern: w.pattern } : {}), limit: 1000 }, w.signal);
    for (const e of page.events ?? []) {
      if (memory.ids.has(e.eventId)) continue;
      memory.ids.add(e.eventId);
      lines.push({ id: e.eventId, time: e.timestamp, group, stream: e.logStreamName, text: e.message });
      memory.since = Math.max(memory.since, e.timestamp - 5000); // late lines of other streams
    }
  }
  if (memory.ids.size > 40_000) memory.ids = new Set([...memory.ids].slice(-20_000));
  w.onError(undefined);
  w.onLines(lines.sort((a, b) => a.time - b.time), false);
}
