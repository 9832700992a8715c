// Keys and policies: which programs and people may use this server, and what each may do.
import { useState } from "preact/hooks";

import { control } from "../api/client";
import { param, setParams } from "../app/router";
import { session } from "../app/session";
import { refreshTick } from "../app/time";
import { attemptIfSure } from "../ui/ask";
import { Badge, Card, Command, copy, Dialog, Empty, endpoint, Field, Page, Problem, Tabs } from "../ui/basic";
import { asApiError, useLoad } from "../ui/load";
import { ListTable, type Column } from "../ui/table";
import { attempt, done } from "../ui/toast";
import { readPolicies, templates, textOf } from "./policy";

interface Entry {
  name: string;
  access_key?: string;
  account: string;
  policies: unknown[];
}
interface Listing {
  enforced: boolean;
  default_account: string;
  keys: Entry[];
  users: Entry[];
}
type Made = { name: string; access_key: string; secret_key: string };

const idOf = (e: Entry) => e.access_key ?? e.name;

export default function Keys() {
  const tab = (param("tab", "keys").value || "keys") as "keys" | "users";
  const [adding, setAdding] = useState(false);
  const [editing, setEditing] = useState<Entry>();
  const [made, setMade] = useState<Made>();
  const [changing, setChanging] = useState<Entry>();
  const list = useLoad(() => control<Listing>("GET", "keys"), [refreshTick.value]);
  const isKeys = tab === "keys";
  const remove = (e: Entry) =>
    void attemptIfSure(isKeys ? `Revoke the key ${e.access_key} of ${e.name}? Programs that use it are refused from now on.` : `Remove ${e.name}? Sessions of this user end at once.`, isKeys ? "Key revoked" : "User removed", () => control("DELETE", `${tab}/${encodeURIComponent(idOf(e))}`), isKeys ? "Revoke" : "Remove").then((ok) => ok && list.reload());
  const columns: Column<Entry>[] = [
    { id: "name", title: "Name", value: (e) => e.name },
    ...(isKeys ? [{ id: "key", title: "Access key", value: (e: Entry) => e.access_key, cell: (e: Entry) => <button class="link mono" title="Copy" onClick={() => copy(e.access_key!)}>{e.access_key}</button> }] : []),
    { id: "account", title: "Account", value: (e) => e.account, cell: (e) => <span class="mono">{e.account}</span> },
    { id: "policies", title: "May", value: (e) => e.policies.length, cell: (e) => (e.policies.length === 0 ? <Badge tone="idle">nothing</Badge> : <button class="link" onClick={() => setEditing(e)}>{summary(e.policies)}</button>) },
    {
      id: "acts", title: "", value: () => "",
      cell: (e) => (
        <span class="row tight">
          <button onClick={() => setEditing(e)} aria-label={`Policies of ${e.name}`}>Policies</button>
          {!isKeys && <button onClick={() => setChanging(e)} aria-label={`Password of ${e.name}`}>Password</button>}
          <button class="danger" onClick={() => remove(e)} aria-label={(isKeys ? "Revoke " : "Remove ") + idOf(e)}>{isKeys ? "Revoke" : "Remove"}</button>
        </span>
      ),
    },
  ];
  const closed = list.value && !list.value.enforced;
  return (
    <Page title="Keys and policies" actions={!closed && <button class="primary" onClick={() => setAdding(true)}>{isKeys ? "Add key" : "Add user"}</button>}>
      {list.error && <Problem error={list.error} />}
      {closed ? (
        <Card>
          <Empty title="Any credentials do on this server" text="Start it with a keys file, or with --profile site, and every call is checked. These make a first key and a first person:" />
          <Command text={"fogwatch keys add --file keys.json --name admin --admin\nfogwatch users add --file keys.json --admin YOUR-NAME\nfogwatch serve --profile site --keys-file keys.json"} />
        </Card>
      ) : (
        <>
          <Tabs tabs={[["keys", `Access keys (${list.value?.keys.length ?? "…"})`], ["users", `People (${list.value?.users.length ?? "…"})`]] as const} at={tab} onChange={(t) => setParams({ tab: t }, true)} />
          <p class="soft">{isKeys ? "Programs sign their calls with these. A secret is shown once, when its key is made." : "People sign in to this console with these."}</p>
          <ListTable name={tab} label={isKeys ? "Access keys" : "People"} columns={columns} rows={list.value?.[tab] ?? []} rowKey={idOf} />
        </>
      )}
      {adding && list.value && <Add kind={tab} account={session.value.account ?? list.value.default_account} onClose={() => setAdding(false)} onMade={(m) => { setAdding(false); list.reload(); if (m) setMade(m); else done("User added"); }} />}
      {editing && <Policies kind={tab} entry={editing} onClose={() => setEditing(undefined)} onSaved={() => { setEditing(undefined); list.reload(); }} />}
      {changing && <Password entry={changing} onClose={() => setChanging(undefined)} />}
      {made && (
        <Dialog title="The key's secret, this once" onClose={() => setMade(undefined)}>
          <p>Nobody can read it again: copy it to where <strong>{made.name}</strong> runs.</p>
          <Command text={`export AWS_ENDPOINT_URL=${endpoint()}\nexport AWS_ACCESS_KEY_ID=${made.access_key}\nexport AWS_SECRET_ACCESS_KEY=${made.secret_key}`} />
        </Dialog>
      )}
    </Page>
  );
}

// The first actions that are allowed, in a few words.
function summary(policies: unknown[]): string {
  const statements = policies.flatMap((p) => (p as { Statement: unknown }).Statement as Record<string, unknown>[]);
  const actions = statements.flatMap((s) => (s["Effect"] === "Allow" ? ((s["Action"] ?? (s["NotAction"] ? "all but some" : [])) as string[]) : []));
  if (actions.includes("*")) return "everything";
  return actions.slice(0, 2).join(", ") + (actions.length > 2 ? ` and ${actions.length - 2} more` : "") || "nothing";
}

function PolicyText({ text, onText, problem }: { text: string; onText: (t: string) => void; problem: string | undefined }) {
  return (
    <>
      <Field label="Begin with">
        <select value="" onChange={(e) => { const chosen = templates[Number(e.currentTarget.value)]; if (chosen) onText(textOf(chosen[1])); }}>
          <option value="">choose…</option>
          {templates.map(([title], i) => <option value={i}>{title}</option>)}
        </select>
      </Field>
      <Field label="Policy: one document, or a list of them" hint="Elements: Effect, Action or NotAction, Resource or NotResource, Condition. The server's own pages are fogwatch:*.">
        <textarea rows={14} spellcheck={false} value={text} onInput={(e) => onText(e.currentTarget.value)} aria-invalid={problem ? true : undefined} />
      </Field>
      {problem && <p class="problem" role="alert">{problem}</p>}
    </>
  );
}

function Add(props: { kind: "keys" | "users"; account: string; onClose: () => void; onMade: (m?: Made) => void }) {
  const [name, setName] = useState("");
  const [account, setAccount] = useState(props.account);
  const [password, setPassword] = useState("");
  const [text, setText] = useState("[]");
  const [problem, setProblem] = useState<string>();
  const isKeys = props.kind === "keys";
  const submit = async (e: Event) => {
    e.preventDefault();
    const read = readPolicies(text);
    if ("problem" in read) return setProblem(read.problem);
    try {
      const out = await control<Made>("POST", props.kind, { name, account, policies: read.policies, ...(isKeys ? {} : { password }) });
      props.onMade(isKeys ? out : undefined);
    } catch (error) {
      setProblem(asApiError(error).message);
    }
  };
  return (
    <Dialog title={isKeys ? "Add key" : "Add user"} onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void submit(e)}>
        <Field label="Name" hint="As it stands in ARNs: letters, digits and _+=,.@-"><input required maxLength={64} autocomplete="off" value={name} onInput={(e) => setName(e.currentTarget.value)} /></Field>
        <Field label="Account"><input required pattern="\d{12}" inputMode="numeric" value={account} onInput={(e) => setAccount(e.currentTarget.value)} /></Field>
        {!isKeys && <Field label="Password" hint="At least 12 characters"><input required minLength={12} type="password" autocomplete="new-password" value={password} onInput={(e) => setPassword(e.currentTarget.value)} /></Field>}
        <PolicyText text={text} onText={(t) => { setText(t); setProblem(undefined); }} problem={problem} />
        <div class="row run-row"><button class="primary" type="submit">{isKeys ? "Add key" : "Add user"}</button></div>
      </form>
    </Dialog>
  );
}

function Policies(props: { kind: "keys" | "users"; entry: Entry; onClose: () => void; onSaved: () => void }) {
  const [text, setText] = useState(textOf(props.entry.policies));
  const [problem, setProblem] = useState<string>();
  const save = async () => {
    const read = readPolicies(text);
    if ("problem" in read) return setProblem(read.problem);
    try {
      await control("PUT", `${props.kind}/${encodeURIComponent(idOf(props.entry))}`, { policies: read.policies });
      done("Policies saved");
      props.onSaved();
    } catch (error) {
      setProblem(asApiError(error).message);
    }
  };
  return (
    <Dialog title={`Policies of ${props.entry.name}`} onClose={props.onClose}>
      <div class="stack">
        <PolicyText text={text} onText={(t) => { setText(t); setProblem(undefined); }} problem={problem} />
        <div class="row run-row"><button class="primary" onClick={() => void save()}>Save</button></div>
      </div>
    </Dialog>
  );
}

function Password({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const [password, setPassword] = useState("");
  return (
    <Dialog title={`Password of ${entry.name}`} onClose={onClose}>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void attempt("Password changed", () => control("PUT", "users/" + encodeURIComponent(entry.name), { password })).then((ok) => ok && onClose()); }}>
        <p class="soft">This user's sessions end, yours too if it is you.</p>
        <Field label="New password" hint="At least 12 characters"><input required minLength={12} type="password" autocomplete="new-password" value={password} onInput={(e) => setPassword(e.currentTarget.value)} /></Field>
        <div class="row run-row"><button class="primary" type="submit">Change</button></div>
      </form>
    </Dialog>
  );
}
