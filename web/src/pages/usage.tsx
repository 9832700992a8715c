// Usage and cost: what this server's traffic would have cost at AWS, by service and operation.
import { useMemo, useState } from "preact/hooks";

import { control, type ApiError } from "../api/client";
import { param, setParams } from "../app/router";
import { formatTime, refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Card, Command, Dialog, Empty, endpoint, Field, formatNumber, Page, Problem, Stat } from "../ui/basic";
import { asApiError, useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import { done } from "../ui/toast";

interface Line {
  service: string;
  operation: string;
  quantity: number;
  unit: string;
  price: number;
  cost: number;
  free?: number;
  now?: number; // of what stands: a month's worth of it
  monthly?: number;
}
interface Usage {
  since: string;
  services: Line[];
  total: number;
  monthly?: number;
  currency: string;
  prices_as_of?: string;
}

// Cents matter for small bills and not for large ones.
const money = (n: number, currency: string) => `${n.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: n !== 0 && Math.abs(n) < 1 ? 6 : 2 })} ${currency}`;

export default function UsagePage() {
  const only = param("service").value;
  const read = useLoad(() => control<Usage>("GET", "usage"), [refreshTick.value]);
  const usage = read.value;
  const currency = usage?.currency ?? "USD";
  const sums = useMemo(() => {
    const out = new Map<string, number>();
    for (const line of usage?.services ?? []) out.set(line.service, (out.get(line.service) ?? 0) + line.cost);
    return [...out].sort((a, b) => b[1] - a[1]);
  }, [usage]);
  const top = Math.max(...sums.map(([, cost]) => cost), 0);
  const columns: Column<Line>[] = [
    { id: "service", title: "Service", value: (l) => l.service },
    { id: "operation", title: "What", value: (l) => l.operation },
    { id: "quantity", title: "Quantity", numeric: true, value: (l) => l.quantity, cell: (l) => formatNumber(l.quantity) },
    { id: "unit", title: "Unit", value: (l) => l.unit },
    { id: "price", title: `Price of one`, numeric: true, value: (l) => l.price, cell: (l) => money(l.price, currency) },
    { id: "cost", title: "Cost", numeric: true, value: (l) => l.cost, cell: (l) => money(l.cost, currency) },
    { id: "monthly", title: "A month of it", numeric: true, value: (l) => l.monthly, cell: (l) => (l.monthly === undefined ? "" : money(l.monthly, currency)) },
  ];
  const [pricing, setPricing] = useState(false);
  const missing = (e: ApiError) => e.status === 404;
  return (
    <Page
      title="Usage and cost"
      actions={
        usage && (
          <>
            <button onClick={() => setPricing(true)}>Prices</button>
            <button class="danger" onClick={() => void attemptIfSure("Count from zero again?", "Counting begins anew", () => control("DELETE", "usage"), "Begin anew").then((ok) => ok && read.reload())}>Begin anew</button>
          </>
        )
      }
    >
      {read.error && (missing(read.error) ? <Card><Empty title="This server counts no usage" text={read.error.message} /></Card> : <Problem error={read.error} />)}
      {usage && (
        <>
          <div class="stats">
            <Stat label="At AWS this would have cost" value={money(usage.total, currency)} />
            <Stat label="Counted since" value={formatTime(Date.parse(usage.since), false)} />
            {usage.monthly !== undefined && <Stat label="What stands now, a month" value={money(usage.monthly, currency)} note="alarms, metrics, stored bytes" />}
          </div>
          {sums.length === 0 ? (
            <Card><Empty title="Nothing that AWS would bill yet" command={`curl -s ${endpoint()}/_fogwatch/usage`} /></Card>
          ) : (
            <>
              <Card title="By service">
                <ul class="plain hbars">
                  {sums.map(([service, cost]) => (
                    <li>
                      <button class="link" aria-pressed={only === service} onClick={() => setParams({ service: only === service ? undefined : service })}>{service}</button> <small>{money(cost, currency)}</small>
                      <i style={{ width: `${top > 0 ? (cost / top) * 100 : 0}%`, background: "var(--accent)" }} />
                    </li>
                  ))}
                </ul>
              </Card>
              <ListTable name="usage" label="Usage" columns={columns} rows={usage.services.filter((l) => !only || l.service === only)} rowKey={(l) => `${l.service} ${l.operation} ${l.unit}`} sort={{ by: "cost", down: true }} />
            </>
          )}
          <p class="soft">List prices{usage.prices_as_of ? ` of ${usage.prices_as_of}` : ""}, which one may change. The same for scripts:</p>
          <Command text={`curl -s ${endpoint()}/_fogwatch/usage`} />
        </>
      )}
      {pricing && <Prices onClose={() => setPricing(false)} onSaved={() => { setPricing(false); read.reload(); }} />}
    </Page>
  );
}

// The whole table as JSON; rows that are sent change theirs, the others stay.
function Prices({ onClose, onSaved }: { onClose: () => void; onSaved: () => void }) {
  const table = useLoad(() => control<unknown>("GET", "usage/prices"), []);
  const [text, setText] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const shown = text ?? (table.value ? JSON.stringify(table.value, null, 1) : "");
  const save = async (send: () => Promise<unknown>) => {
    try {
      await send();
      done("Prices saved");
      onSaved();
    } catch (error) {
      setProblem(error instanceof SyntaxError ? "This is not JSON." : asApiError(error).message);
    }
  };
  return (
    <Dialog title="Prices" onClose={onClose} wide>
      <div class="stack">
        {table.error && <Problem error={table.error} />}
        <Field label="Prices by operation, as JSON"><textarea rows={18} spellcheck={false} value={shown} onInput={(e) => { setText(e.currentTarget.value); setProblem(undefined); }} /></Field>
        {problem && <p class="problem" role="alert">{problem}</p>}
        <div class="row run-row">
          <button class="primary" onClick={() => void save(async () => control("PUT", "usage/prices", JSON.parse(shown)))}>Save</button>
          <button onClick={() => void save(() => control("DELETE", "usage/prices"))}>Built-in prices</button>
        </div>
      </div>
    </Dialog>
  );
}
