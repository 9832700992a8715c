// Faults: rules that make calls slow, refused or cut off, so that a program's retries can be watched.
import { useState } from "preact/hooks";

import { control } from "../api/client";
import { refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, Command, Dialog, Empty, endpoint, Field, formatNumber, Page, Problem } from "../ui/basic";
import { asApiError, useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import { done } from "../ui/toast";

interface Rule {
  service?: string;
  operation?: string;
  account?: string;
  region?: string;
  access_key?: string;
  probability?: number;
  count?: number;
  latency_ms?: number;
  drop?: boolean;
  throttle?: boolean;
  error?: { code: string; message?: string; status?: number };
  fired?: number;
}
interface Coverage {
  services: Record<string, { name: string }[]>;
}

const what = (r: Rule) =>
  [r.latency_ms ? `${formatNumber(r.latency_ms)} ms late` : "", r.drop ? "connection cut" : "", r.throttle ? "throttled" : "", r.error ? `${r.error.status ?? 400} ${r.error.code}` : ""].filter(Boolean).join(", ");
const whom = (r: Rule) => [r.service || "all services", r.operation || "all operations"].join(" ");
const only = (r: Rule) => [r.account && `account ${r.account}`, r.region, r.access_key].filter(Boolean).join(", ");
// What the server counts is not ours to send back.
const plain = ({ fired: _, ...rule }: Rule) => rule;

export default function Faults() {
  const list = useLoad(async () => (await control<{ rules: Rule[] }>("GET", "faults")).rules, [refreshTick.value]);
  const [adding, setAdding] = useState(false);
  const rows = (list.value ?? []).map((rule, at) => ({ rule, at }));
  type Numbered = (typeof rows)[number];
  const put = (rules: Rule[]) => control("PUT", "faults", { rules: rules.map(plain) });
  const columns: Column<Numbered>[] = [
    { id: "at", title: "Order", numeric: true, value: (r) => r.at + 1 },
    { id: "calls", title: "Calls", value: (r) => whom(r.rule) },
    { id: "only", title: "Only", value: (r) => only(r.rule) },
    { id: "what", title: "Become", value: (r) => what(r.rule) },
    { id: "chance", title: "Chance", numeric: true, value: (r) => r.rule.probability ?? 1, cell: (r) => `${formatNumber((r.rule.probability ?? 1) * 100)} %` },
    { id: "fired", title: "Fired", numeric: true, value: (r) => r.rule.fired ?? 0, cell: (r) => (r.rule.count === undefined ? formatNumber(r.rule.fired ?? 0) : <>{formatNumber(r.rule.fired ?? 0)} of {formatNumber(r.rule.count)} {(r.rule.fired ?? 0) >= r.rule.count && <Badge tone="idle">spent</Badge>}</>) },
    {
      id: "acts", title: "", value: () => "",
      cell: (r) => <button class="danger" aria-label={`Delete rule ${r.at + 1}`} onClick={() => void attemptIfSure(`Delete the rule for ${whom(r.rule)}? The counts of the others begin again.`, "Rule deleted", () => put(rows.filter((x) => x !== r).map((x) => x.rule))).then((ok) => ok && list.reload())}>Delete</button>,
    },
  ];
  return (
    <Page
      title="Faults"
      actions={
        <>
          <button class="primary" onClick={() => setAdding(true)}>Add rule</button>
          {rows.length > 0 && <button class="danger" onClick={() => void attemptIfSure("Delete all rules?", "No faults any more", () => control("DELETE", "faults")).then((ok) => ok && list.reload())}>Delete all</button>}
        </>
      }
    >
      {list.error && <Problem error={list.error} />}
      <p class="soft">The first rule that matches a call and fires decides. Rules end with the process.</p>
      {rows.length === 0 && !list.loading ? (
        <Card>
          <Empty title="Every call is answered as it should be" text="A rule of one's own tries a program's patience. The same from a test:" command={`curl -X PUT ${endpoint()}/_fogwatch/faults -d '{"rules": [{"service": "logs", "operation": "PutLogEvents", "probability": 0.1, "throttle": true}]}'`} />
        </Card>
      ) : (
        <ListTable name="faults" label="Fault rules" columns={columns} rows={rows} rowKey={(r) => String(r.at)} />
      )}
      {rows.length > 0 && <Command text={`curl -X PUT ${endpoint()}/_fogwatch/faults -d '${JSON.stringify({ rules: rows.map((r) => plain(r.rule)) })}'`} />}
      {adding && <Add onClose={() => setAdding(false)} add={async (rule) => { await put([...rows.map((r) => r.rule), rule]); done("Rule added"); setAdding(false); list.reload(); }} />}
    </Page>
  );
}

function Add({ add, onClose }: { add: (rule: Rule) => Promise<void>; onClose: () => void }) {
  const coverage = useLoad(() => control<Coverage>("GET", "operations"), []);
  const [f, setF] = useState({ service: "", operation: "", account: "", region: "", key: "", percent: "100", count: "", latency: "", kind: "throttle", code: "InternalFailure", message: "", status: "500" });
  const [problem, setProblem] = useState<string>();
  const services = coverage.value?.services ?? {};
  const bind = (name: keyof typeof f) => ({ value: f[name], onInput: (e: { currentTarget: { value: string } }) => { setF({ ...f, [name]: e.currentTarget.value }); setProblem(undefined); } });
  const submit = async (e: Event) => {
    e.preventDefault();
    const rule: Rule = {
      ...(f.service && { service: f.service }), ...(f.operation && { operation: f.operation }), ...(f.account && { account: f.account }), ...(f.region && { region: f.region }), ...(f.key && { access_key: f.key }),
      probability: Number(f.percent) / 100, ...(f.count && { count: Number(f.count) }), ...(f.latency && { latency_ms: Number(f.latency) }),
      ...(f.kind === "throttle" && { throttle: true }), ...(f.kind === "drop" && { drop: true }), ...(f.kind === "error" && { error: { code: f.code, ...(f.message && { message: f.message }), status: Number(f.status) } }),
    };
    try {
      await add(rule);
    } catch (error) {
      setProblem(asApiError(error).message);
    }
  };
  return (
    <Dialog title="Add rule" onClose={onClose}>
      <form class="stack" onSubmit={(e) => void submit(e)}>
        <div class="form">
          <Field label="Service"><select {...bind("service")}><option value="">all</option>{Object.keys(services).map((s) => <option value={s}>{s}</option>)}</select></Field>
          <Field label="Operation"><input list="fault-operations" placeholder="all" {...bind("operation")} /></Field>
          <datalist id="fault-operations">{(services[f.service] ?? Object.values(services).flat()).map((o) => <option value={o.name} />)}</datalist>
          <Field label="What happens">
            <select {...bind("kind")}>
              <option value="throttle">throttled, as the service says it</option>
              <option value="error">an error of one's own</option>
              <option value="drop">the connection is cut</option>
              <option value="none">only the delay</option>
            </select>
          </Field>
          <Field label="Delay in ms"><input type="number" min="0" placeholder="0" {...bind("latency")} /></Field>
          {f.kind === "error" && (
            <>
              <Field label="Error code"><input required {...bind("code")} /></Field>
              <Field label="Status"><input type="number" min="400" max="599" required {...bind("status")} /></Field>
              <Field label="Message"><input {...bind("message")} /></Field>
            </>
          )}
          <Field label="Chance in percent"><input type="number" min="0" max="100" step="any" required {...bind("percent")} /></Field>
          <Field label="At most so many times"><input type="number" min="1" placeholder="without end" {...bind("count")} /></Field>
          <Field label="Only account"><input pattern="\d{12}" placeholder="all" {...bind("account")} /></Field>
          <Field label="Only region"><input placeholder="all" {...bind("region")} /></Field>
          <Field label="Only access key"><input placeholder="all" {...bind("key")} /></Field>
        </div>
        {problem && <p class="problem" role="alert">{problem}</p>}
        <div class="row run-row"><button class="primary" type="submit">Add rule</button></div>
      </form>
    </Dialog>
  );
}
