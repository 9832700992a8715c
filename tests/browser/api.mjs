// What the tests ask the server directly: the same public APIs, without a browser.
export function client(url) {
  const post = async (path, headers, body) => {
    const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    const out = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(`${path} ${headers["X-Amz-Target"] ?? ""}: ${JSON.stringify(out).slice(0, 300)}`);
    return out;
  };
  return {
    logs: (operation, body) => post("/", { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328." + operation }, body),
    cloudwatch: (operation, body) => post("/", { "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801." + operation }, body),
    xray: (path, body) => post("/" + path, { "Content-Type": "application/json" }, body),
    control: (path, body) => post("/_fogwatch/" + path, { "Content-Type": "application/json" }, body),
    async sns(fields) {
      const response = await fetch(url + "/", { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ Version: "2010-03-31", ...fields }) });
      const text = await response.text();
      if (!response.ok) throw new Error(`${fields.Action}: ${text.slice(0, 300)}`);
      return text;
    },
  };
}

const hex = (n, digits) => n.toString(16).padStart(digits, "0");

// A trace of `count` spans: a root, services below it, subsegments in them (a document holds 64 KB).
export async function putLargeTrace(api, count, now = Date.now()) {
  const id = `1-${hex(Math.floor(now / 1000) - 60, 8)}-${hex(count, 24)}`;
  const begin = now / 1000 - 60;
  const perDocument = 200;
  const documents = [JSON.stringify({ trace_id: id, id: hex(1, 16), name: "large-root", start_time: begin, end_time: begin + 10 })];
  let span = 2;
  for (let left = count - 1, d = 0; left > 0; d++) {
    const size = Math.min(left, perDocument);
    const start = begin + (d * 10) / Math.ceil(count / perDocument);
    const own = hex(span++, 16);
    const subsegments = [];
    for (let i = 1; i < size; i++) subsegments.push({ id: hex(span++, 16), name: `step-${i}`, start_time: start + i * 0.0001, end_time: start + i * 0.0001 + 0.004 });
    documents.push(JSON.stringify({ trace_id: id, id: own, parent_id: hex(1, 16), name: `service-${d % 7}`, start_time: start, end_time: start + 0.1, subsegments }));
    left -= size;
  }
  for (let i = 0; i < documents.length; i += 20) {
    const out = await api.xray("TraceSegments", { TraceSegmentDocuments: documents.slice(i, i + 20) });
    if (out.UnprocessedTraceSegments?.length) throw new Error(JSON.stringify(out.UnprocessedTraceSegments[0]));
  }
  return id;
}

export async function putEvents(api, group, stream, count, message) {
  await api.logs("CreateLogGroup", { logGroupName: group });
  await api.logs("CreateLogStream", { logGroupName: group, logStreamName: stream });
  const now = Date.now();
  const part = 10_000;
  for (let from = 0; from < count; from += part) {
    const logEvents = Array.from({ length: Math.min(part, count - from) }, (_, i) => ({ timestamp: now - 3_000_000 + Math.floor(((from + i) * 2_900_000) / count), message: message(from + i) }));
    await api.logs("PutLogEvents", { logGroupName: group, logStreamName: stream, logEvents });
  }
}
