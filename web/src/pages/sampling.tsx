// Sampling rules and groups, with a tester that shows which rule a request would meet.
import { useState } from "preact/hooks";

import { xray } from "../api/client";
import { param, setParams, href } from "../app/router";
import { account, region } from "../app/settings";
import { refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, cli, CliButton, Dialog, Empty, Field, Page, Problem, Tabs } from "../ui/basic";
import { useLoad } from "../ui/load";
import { Table, type Column } from "../ui/table";
import { attempt } from "../ui/toast";

interface Rule {
  RuleName: string;
  RuleARN?: string;
  ResourceARN: string;
  Priority: number;
  FixedRate: number;
  ReservoirSize: number;
  ServiceName: string;
  ServiceType: string;
  Host: string;
  HTTPMethod: string;
  URLPath: string;
  Version: number;
}
interface Group {
  GroupName: string;
  GroupARN: string;
  FilterExpression?: string;
}

// Sampling rules match with * and ?, ignoring case.
export function wildcard(pattern: string, text: string): boolean {
  const source = [...pattern].map((c) => (c === "*" ? ".*" : c === "?" ? "." : c.replace(/[.+^${}()|[\]\\]/g, "\\$&"))).join("");
  return new RegExp(`^${source}$`, "is").test(text);
}

export default function Sampling() {
  const tab = (param("tab", "rules").value || "rules") as "rules" | "groups";
  return (
    <Page title="Sampling and groups">
      <Tabs tabs={[["rules", "Sampling rules"], ["groups", "Groups"]] as const} at={tab} onChange={(t) => setParams({ tab: t }, true)} />
      {tab === "rules" ? <Rules /> : <Groups />}
    </Page>
  );
}

const blank = { RuleName: "", Priority: "100", FixedRate: "0.05", ReservoirSize: "1", ServiceName: "*", ServiceType: "*", Host: "*", HTTPMethod: "*", URLPath: "*" };

function Rules() {
  const read = useLoad(async (s) => ((await xray<{ SamplingRuleRecords?: { SamplingRule: Rule }[] }>("GetSamplingRules", {}, s)).SamplingRuleRecords ?? []).map((r) => r.SamplingRule).sort((a, b) => a.Priority - b.Priority), [refreshTick.value, region.value, account.value]);
  const [probe, setProbe] = useState({ service: "api", host: "example.com", method: "GET", path: "/" });
  const [form, setForm] = useState<typeof blank>();
  const matched = read.value?.find((r) => wildcard(r.ServiceName, probe.service) && wildcard(r.Host, probe.host) && wildcard(r.HTTPMethod, probe.method) && wildcard(r.URLPath, probe.path));
  const columns: Column<Rule>[] = [
    { id: "priority", title: "Priority", numeric: true, value: (r) => r.Priority },
    { id: "name", title: "Rule", value: (r) => r.RuleName, cell: (r) => <>{r.RuleName} {r === matched && <Badge tone="ok">matches</Badge>}</> },
    { id: "rate", title: "Rate", numeric: true, value: (r) => r.FixedRate, cell: (r) => (r.FixedRate * 100).toFixed(1) + " %" },
    { id: "reservoir", title: "Reservoir", numeric: true, value: (r) => r.ReservoirSize, cell: (r) => r.ReservoirSize + "/s" },
    { id: "service", title: "Service", value: (r) => r.ServiceName },
    { id: "host", title: "Host", value: (r) => r.Host },
    { id: "method", title: "Method", value: (r) => r.HTTPMethod },
    { id: "path", title: "Path", value: (r) => r.URLPath },
    { id: "do", title: "", value: () => "", cell: (r) => r.RuleName !== "Default" && <button class="danger" onClick={() => void attemptIfSure(`Delete the rule ${r.RuleName}?`, "Rule deleted", () => xray("DeleteSamplingRule", { RuleName: r.RuleName })).then(read.reload)}>Delete</button> },
  ];
  const create = async () => {
    if (!form) return;
    const rule = { ...form, Priority: Number(form.Priority), FixedRate: Number(form.FixedRate), ReservoirSize: Number(form.ReservoirSize), ResourceARN: "*", Version: 1 };
    if (await attempt("Rule created", () => xray("CreateSamplingRule", { SamplingRule: rule }))) {
      setForm(undefined);
      read.reload();
    }
  };
  return (
    <>
      <Card title="Which rule matches?">
        <div class="form">
          {(["service", "host", "method", "path"] as const).map((k) => <Field label={k}><input value={probe[k]} onInput={(e) => setProbe({ ...probe, [k]: e.currentTarget.value })} /></Field>)}
        </div>
        <p role="status">{matched ? <>Rule <b>{matched.RuleName}</b>: {matched.ReservoirSize} a second, then {(matched.FixedRate * 100).toFixed(1)} %.</> : "No rule matches."}</p>
      </Card>
      <Card title="Rules" actions={<><CliButton line="xray get-sampling-rules" /><button class="primary" onClick={() => setForm({ ...blank })}>Create rule</button></>}>
        {read.error && <Problem error={read.error} />}
        <Table label="Sampling rules" columns={columns} rows={read.value ?? []} rowKey={(r) => r.RuleName} />
      </Card>
      {form && (
        <Dialog title="Create sampling rule" onClose={() => setForm(undefined)} wide>
          <form class="form" onSubmit={(e) => { e.preventDefault(); void create(); }}>
            {(Object.keys(blank) as (keyof typeof blank)[]).map((k) => <Field label={k}><input required value={form[k]} onInput={(e) => setForm({ ...form, [k]: e.currentTarget.value })} /></Field>)}
            <button class="primary">Create</button>
          </form>
        </Dialog>
      )}
    </>
  );
}

function Groups() {
  const read = useLoad(async (s) => (await xray<{ Groups?: Group[] }>("Groups", {}, s)).Groups ?? [], [refreshTick.value, region.value, account.value]);
  const [name, setName] = useState("");
  const [filter, setFilter] = useState("");
  return (
    <Card title="Groups" actions={<CliButton line="xray get-groups" />}>
      {read.error && <Problem error={read.error} />}
      {read.value?.length === 0 && <Empty title="No group yet" command={cli(`xray create-group --group-name slow --filter-expression 'responsetime > 1'`)} />}
      {read.value?.map((g) => (
        <div class="row">
          <b>{g.GroupName}</b> <code class="grow">{g.FilterExpression}</code>
          {g.FilterExpression && <a href={href(["traces"], { filter: g.FilterExpression })}>Traces</a>}
          {g.GroupName !== "Default" && <button class="danger" onClick={() => void attemptIfSure(`Delete the group ${g.GroupName}?`, "Group deleted", () => xray("DeleteGroup", { GroupARN: g.GroupARN })).then(read.reload)}>Delete</button>}
        </div>
      ))}
      <form class="row run-row" onSubmit={(e) => { e.preventDefault(); void attempt("Group created", () => xray("CreateGroup", { GroupName: name, FilterExpression: filter })).then(read.reload); }}>
        <input placeholder="Name" aria-label="Name" required value={name} onInput={(e) => setName(e.currentTarget.value)} />
        <input class="grow mono" placeholder="Filter expression" aria-label="Filter expression" required value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />
        <button>Create</button>
      </form>
    </Card>
  );
}
