// Calls to the server: the same public AWS APIs that every client uses, same origin.
//
//   const out = await logs<DescribeLogGroups>("DescribeLogGroups", { limit: 50 });
//
// CloudWatch speaks awsJson 1.0, Logs awsJson 1.1, X-Ray restJson, SNS the query protocol (XML).
// The account and region travel in a credential scope, as with every client; nothing is signed. Where
// the server asks who one is, the session's cookie and the console's own header speak for the caller.
import { consoleHeader, sessionEnded } from "../app/session";
import { account, region } from "../app/settings";

export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly requestId: string,
    readonly status: number,
    readonly body: unknown = undefined,
  ) {
    super(message);
  }
}

function scope(service: string): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  return `AWS4-HMAC-SHA256 Credential=${account.value}/${day}/${region.value}/${service}/aws4_request, SignedHeaders=host, Signature=${"0".repeat(64)}`;
}

async function send(path: string, headers: Record<string, string>, body: string, signal?: AbortSignal): Promise<Response> {
  try {
    const response = await fetch(path, { method: "POST", headers: { ...headers, ...consoleHeader() }, body, signal: signal ?? null });
    if (response.status === 401) sessionEnded();
    return response;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("ConnectionFailed", "The server does not answer.", "", 0);
  }
}

const requestId = (response: Response) => response.headers.get("x-amzn-requestid") ?? "";
const shortName = (type: string) => type.replace(/:.*$/, "").replace(/^.*#/, "");

async function json<T>(path: string, service: string, headers: Record<string, string>, input: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { Authorization: scope(service), ...headers }, JSON.stringify(input), signal);
  const text = await response.text();
  if (!response.ok) throw apiError(response, text);
  try {
    return (text ? JSON.parse(text) : {}) as T;
  } catch {
    throw new ApiError("BadAnswer", text.slice(0, 200), requestId(response), response.status);
  }
}

function apiError(response: Response, text: string): ApiError {
  let out: Record<string, unknown>;
  try {
    out = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return new ApiError("BadAnswer", text.slice(0, 200), requestId(response), response.status);
  }
  const type = String(out["__type"] ?? response.headers.get("x-amzn-errortype") ?? response.status);
  return new ApiError(shortName(type), String(out["message"] ?? out["Message"] ?? ""), requestId(response), response.status, out);
}

type Input = Record<string, unknown>;

export function logs<T>(operation: string, input: Input = {}, signal?: AbortSignal): Promise<T> {
  return json("/", "logs", { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328." + operation }, input, signal);
}
// A Logs operation whose answer is an event stream; throws ApiError as the others do.
export async function logsStream(operation: string, input: Input, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await send("/", { Authorization: scope("logs"), "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328." + operation }, JSON.stringify(input), signal);
  if (response.ok && response.body) return response.body;
  throw apiError(response, await response.text());
}
export function cloudwatch<T>(operation: string, input: Input = {}, signal?: AbortSignal): Promise<T> {
  return json("/", "monitoring", { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801." + operation }, input, signal);
}
export function xray<T>(path: string, input: Input = {}, signal?: AbortSignal): Promise<T> {
  return json("/" + path, "xray", { "Content-Type": "application/json" }, input, signal);
}

// --- SNS: form in, XML out ---------------------------------------------------------------------

function flatten(prefix: string, value: unknown, out: URLSearchParams): void {
  if (value === undefined || value === null) return;
  if (Array.isArray(value)) value.forEach((item, i) => flatten(`${prefix}.member.${i + 1}`, item, out));
  else if (value instanceof Map) {
    // A map; MessageAttributes spell key and value in capitals.
    const attributes = prefix === "MessageAttributes" || prefix.endsWith(".MessageAttributes");
    let i = 0;
    for (const [key, item] of value) {
      i++;
      out.set(`${prefix}.entry.${i}.${attributes ? "Name" : "key"}`, String(key));
      flatten(`${prefix}.entry.${i}.${attributes ? "Value" : "value"}`, item, out);
    }
  } else if (typeof value === "object") {
    for (const [key, item] of Object.entries(value)) flatten(prefix ? `${prefix}.${key}` : key, item, out);
  } else out.set(prefix, String(value));
}

// <member> children make a list, <entry> children a map, others an object; leaves are text.
export function fromXml(element: Element): unknown {
  const children = [...element.children];
  if (children.length === 0) return element.textContent ?? "";
  if (children.every((c) => c.tagName === "member")) return children.map(fromXml);
  if (children.every((c) => c.tagName === "entry"))
    return Object.fromEntries(children.map((c) => [c.children[0]?.textContent ?? "", c.children[1] ? fromXml(c.children[1]) : ""]));
  return Object.fromEntries(children.map((c) => [c.tagName, fromXml(c)]));
}

export async function sns<T>(operation: string, input: Input = {}, signal?: AbortSignal): Promise<T> {
  const form = new URLSearchParams({ Action: operation, Version: "2010-03-31" });
  flatten("", input, form);
  const response = await send(
    "/",
    { Authorization: scope("sns"), "Content-Type": "application/x-www-form-urlencoded" },
    form.toString(),
    signal,
  );
  const root = new DOMParser().parseFromString(await response.text(), "text/xml").documentElement;
  const child = (name: string) => root.getElementsByTagName(name)[0];
  if (!response.ok)
    throw new ApiError(child("Code")?.textContent ?? String(response.status), child("Message")?.textContent ?? "", requestId(response), response.status);
  const result = child(operation + "Result");
  const value = result ? fromXml(result) : {};
  return (typeof value === "string" ? {} : value) as T;
}

// --- the control plane --------------------------------------------------------------------------

async function own(method: string, path: string, body?: unknown): Promise<Response> {
  try {
    const response = await fetch(path, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...consoleHeader() },
      body: body === undefined ? null : JSON.stringify(body),
    });
    if (response.status === 401) sessionEnded();
    return response;
  } catch {
    throw new ApiError("ConnectionFailed", "The server does not answer.", "", 0);
  }
}

// A page of the server's beside the control plane: /metrics, /health/detailed.
export async function ownText(path: string): Promise<string> {
  const response = await own("GET", path);
  const text = await response.text();
  // An unwell server says so with 503, and tells all the same.
  if (response.ok || response.status === 503) return text;
  throw apiError(response, text);
}

export async function control<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await own(method, "/_fogwatch/" + path, body);
  const text = await response.text();
  let out: { error?: { code: string; message: string } };
  try {
    out = (text ? JSON.parse(text) : {}) as typeof out;
  } catch {
    throw new ApiError("BadAnswer", text.slice(0, 200), requestId(response), response.status);
  }
  if (response.ok) return out as T;
  throw new ApiError(out.error?.code ?? String(response.status), out.error?.message ?? "", requestId(response), response.status);
}

// Walks a paged operation until `max` items are there or the pages end.
export async function pages<T>(
  read: (token: string | undefined) => Promise<{ items: T[]; next?: string | undefined }>,
  max = 5000,
): Promise<T[]> {
  const all: T[] = [];
  let token: string | undefined;
  do {
    const page = await read(token);
    all.push(...page.items);
    token = page.next || undefined;
  } while (token && all.length < max);
  return all;
}
