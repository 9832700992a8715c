// Reads application/vnd.amazon.eventstream: length-prefixed messages with typed headers.
//
//   total length (4), header length (4), CRC (4), headers, payload, CRC (4); big endian.
import { ApiError } from "./client";

export interface StreamEvent {
  type: string; // :event-type, or :exception-type for a failure
  isException: boolean;
  payload: unknown;
}

const lengthMax = 16 << 20;

// The bytes of each kind of header value; 6 and 7 carry their own length.
const valueBytes = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16];

export function decodeMessage(bytes: Uint8Array): StreamEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  const headersEnd = 12 + view.getUint32(4);
  const headers = new Map<string, string>();
  for (let at = 12; at < headersEnd; ) {
    const nameEnd = at + 1 + view.getUint8(at);
    const name = text.decode(bytes.subarray(at + 1, nameEnd));
    const kind = view.getUint8(nameEnd);
    at = nameEnd + 1;
    let size = valueBytes[kind];
    if (size === undefined) throw new ApiError("BadAnswer", "An unknown header in the event stream.", "", 0);
    if (size < 0) {
      size = view.getUint16(at);
      at += 2;
    }
    if (kind === 7) headers.set(name, text.decode(bytes.subarray(at, at + size)));
    at += size;
  }
  const body = text.decode(bytes.subarray(headersEnd, bytes.length - 4));
  const isException = headers.get(":message-type") === "exception" || headers.get(":message-type") === "error";
  return { type: headers.get(":event-type") ?? headers.get(":exception-type") ?? headers.get(":error-code") ?? "", isException, payload: body ? JSON.parse(body) : {} };
}

export async function* readEventStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = stream.getReader();
  let held = new Uint8Array(0);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
      while (held.length >= 4) {
        const length = new DataView(held.buffer, held.byteOffset).getUint32(0);
        if (length < 16 || length > lengthMax) throw new ApiError("BadAnswer", "The event stream is damaged.", "", 0);
        if (held.length < length) break;
        yield decodeMessage(held.subarray(0, length));
        held = held.slice(length);
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
