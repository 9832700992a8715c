// One log event in full: its fields, JSON laid out, links to its trace and its neighbours.
import { logs } from "../api/client";
import { href } from "../app/router";
import { Dialog, copy, formatNumber } from "../ui/basic";
import { useLoad } from "../ui/load";

const traceId = /\b1-[0-9a-f]{8}-[0-9a-f]{24}\b/;
const fieldsShown = 500;

export function EventDialog({ row, onClose, onFilter }: { row: Record<string, string>; onClose: () => void; onFilter?: (field: string, value: string) => void }) {
  // A result row shows only what was asked for; @ptr fetches the whole event.
  const whole = useLoad(async (s) => (row["@ptr"] ? (await logs<{ logRecord: Record<string, string> }>("GetLogRecord", { logRecordPointer: row["@ptr"] }, s)).logRecord : row), [row]);
  const record = whole.value ?? row;
  const fields = Object.entries(record).filter(([k]) => k !== "@ptr");
  const trace = traceId.exec(Object.values(record).join(" "))?.[0];
  const group = record["@log"]?.replace(/^\d{12}:/, "");
  const at = Date.parse((record["@timestamp"] ?? "").replace(" ", "T").replace(/Z?$/, "Z")) || Number(record["@timestamp"]);
  return (
    <Dialog title="Log event" onClose={onClose} wide>
      <p class="row">
        {trace && <a href={href(["traces", trace])} onClick={onClose}>Open trace {trace}</a>}
        {group && record["@logStream"] && at > 0 && <a href={href(["logs", "groups", group, record["@logStream"]], { range: `${at - 60000}~${at + 60000}` })} onClick={onClose}>Lines around it</a>}
        <button onClick={() => copy(record["@message"] ?? JSON.stringify(record))}>Copy</button>
      </p>
      <table class="event">
        <tbody>
          {fields.slice(0, fieldsShown).map(([k, v]) => (
            <tr>
              <th scope="row">{onFilter ? <button class="link" title="Filter by this value" onClick={() => onFilter(k, v)}>{k}</button> : k}</th>
              <td><pre>{pretty(v)}</pre></td>
            </tr>
          ))}
        </tbody>
      </table>
      {fields.length > fieldsShown && <p class="soft">{formatNumber(fields.length - fieldsShown)} more fields are not shown.</p>}
    </Dialog>
  );
}

export function pretty(text: string): string {
  if (text.length < 200_000 && /^\s*[{[]/.test(text)) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not JSON after all: as it is.
    }
  }
  return text.length > 100_000 ? text.slice(0, 100_000) + `\n… ${formatNumber(text.length - 100_000)} more characters` : text;
}
