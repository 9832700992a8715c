// A trace's documents, and its spans in drawing order.
import { pages, xray } from "../api/client";

export interface Document {
  id: string;
  name: string;
  start_time: number;
  end_time?: number;
  in_progress?: boolean;
  parent_id?: string;
  type?: string;
  namespace?: string;
  fault?: boolean;
  error?: boolean;
  throttle?: boolean;
  http?: { request?: { method?: string; url?: string }; response?: { status?: number } };
  aws?: Record<string, unknown>;
  sql?: Record<string, unknown>;
  cause?: unknown;
  annotations?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
  subsegments?: Document[];
  [key: string]: unknown;
}

export interface Span {
  doc: Document;
  service: string;
  depth: number;
  start: number; // ms from the trace's begin
  length: number;
  children: number;
  parent: number; // index, or -1
}

// Segments and subsegments as one list in drawing order. A segment hangs below the subsegment whose
// id is its parent_id.
export function spansOf(documents: Document[]): Span[] {
  const below = new Map<string, Document[]>();
  const ids = new Set<string>();
  const collect = (d: Document) => {
    ids.add(d.id);
    d.subsegments?.forEach(collect);
  };
  documents.forEach(collect);
  const roots: Document[] = [];
  for (const d of documents) {
    if (!d.parent_id || !ids.has(d.parent_id)) roots.push(d);
    else if (below.has(d.parent_id)) below.get(d.parent_id)!.push(d);
    else below.set(d.parent_id, [d]);
  }
  const begin = Math.min(...documents.map((d) => d.start_time));
  const spans: Span[] = [];
  const byStart = (a: Document, b: Document) => a.start_time - b.start_time;
  // An explicit stack: a trace may be a thousand levels deep.
  const stack = roots.sort(byStart).reverse().map((doc) => ({ doc, depth: 0, service: doc.name, parent: -1 }));
  while (stack.length) {
    const { doc, depth, service, parent } = stack.pop()!;
    const index = spans.length;
    const children = [...(doc.subsegments ?? []), ...(below.get(doc.id) ?? [])].sort(byStart);
    spans.push({ doc, service, depth, start: (doc.start_time - begin) * 1000, length: Math.max(0, ((doc.end_time ?? doc.start_time) - doc.start_time) * 1000), children: children.length, parent });
    const own = new Set(doc.subsegments ?? []);
    for (const child of children.reverse()) stack.push({ doc: child, depth: depth + 1, service: own.has(child) ? service : child.name, parent: index });
  }
  return spans;
}

// The spans whose time nothing else hides: from the end of each span back over its last children.
export function criticalPath(spans: Span[]): Set<number> {
  const children = new Map<number, number[]>();
  spans.forEach((s, i) => s.parent >= 0 && (children.get(s.parent)?.push(i) ?? children.set(s.parent, [i])));
  const path = new Set<number>();
  const stack = spans.flatMap((s, i) => (s.parent < 0 ? [[i, s.start + s.length] as const] : []));
  while (stack.length) {
    const [at, end] = stack.pop()!;
    path.add(at);
    let now = Math.min(end, spans[at]!.start + spans[at]!.length);
    const mine = [...(children.get(at) ?? [])].sort((a, b) => spans[b]!.start + spans[b]!.length - spans[a]!.start - spans[a]!.length);
    for (const child of mine) {
      const s = spans[child]!;
      if (s.start >= now || s.start + s.length > now + 0.5) continue;
      stack.push([child, now]);
      now = s.start;
    }
  }
  return path;
}

export async function readTrace(id: string, signal: AbortSignal): Promise<Document[]> {
  const found = await pages<{ Segments?: { Document: string }[] }>(async (token) => {
    const page = await xray<{ Traces?: { Segments?: { Document: string }[] }[]; NextToken?: string }>("Traces", { TraceIds: [id], NextToken: token }, signal);
    return { items: page.Traces ?? [], next: page.NextToken };
  });
  return found.flatMap((t) => t.Segments ?? []).map((x) => JSON.parse(x.Document) as Document);
}
