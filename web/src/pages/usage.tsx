// Usage and cost: what this server's traffic would have cost at AWS, by service and operation.
import { useMemo } from "preact/hooks";

import { control, type ApiError } from "../api/client";
import { param, setParams } from "../app/router";
import { formatTime, refreshTick } from "../app/time";
import { Card, Command, Empty, endpoint, formatNumber, Page, Problem, Stat } from "../ui/basic";
import { useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";

interface Line {
  service: string;
  operation: string;
  quantity: number;
  unit: string;
  price: number;
  cost: number;
}
interface Usage {
  since: string;
  services: Line[];
  total: number;
  currency: string;
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
  ];
  const missing = (e: ApiError) => e.status === 404;
  return (
    <Page title="Usage and cost">
      {read.error && (missing(read.error) ? <Card><Empty title="This server counts no usage" text={read.error.message} /></Card> : <Problem error={read.error} />)}
      {usage && (
        <>
          <div class="stats">
            <Stat label="At AWS this would have cost" value={money(usage.total, currency)} />
            <Stat label="Counted since" value={formatTime(Date.parse(usage.since), false)} />
            <Stat label="Services" value={formatNumber(sums.length)} />
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
          <p class="soft">List prices, without free tiers or discounts. The same for scripts:</p>
          <Command text={`curl -s ${endpoint()}/_fogwatch/usage`} />
        </>
      )}
    </Page>
  );
}
