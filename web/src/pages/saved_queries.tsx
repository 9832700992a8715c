// Saved queries and the history of the Insights editor. Saved ones live on the server; with a server
// that does not know PutQueryDefinition they are kept in this browser.
import { useState } from "preact/hooks";

import { ApiError, logs } from "../api/client";
import { attemptIfSure } from "../ui/ask";
import { Dialog, Field, Problem } from "../ui/basic";
import { useLoad } from "../ui/load";
import { attempt } from "../ui/toast";

function kept<T>(key: string): T[] {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "[]") as T[];
  } catch {
    return [];
  }
}
function keep(key: string, value: unknown[]) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // No storage, nothing kept.
  }
}

const historyKey = "fogwatch.insights.history";
export const remember = (text: string) => keep(historyKey, [text, ...kept<string>(historyKey).filter((q) => q !== text)].slice(0, 50));

export function History({ onChoose }: { onChoose: (text: string) => void }) {
  const [open, setOpen] = useState(false);
  const past = open ? kept<string>(historyKey) : [];
  return (
    <>
      <button onClick={() => setOpen(true)}>History</button>
      {open && (
        <Dialog title="Queries you ran" onClose={() => setOpen(false)} wide>
          {past.map((q) => (
            <button class="history" onClick={() => { onChoose(q); setOpen(false); }}><pre>{q}</pre></button>
          ))}
          {past.length === 0 && <p class="none">None yet.</p>}
        </Dialog>
      )}
    </>
  );
}

interface Definition {
  queryDefinitionId: string;
  name: string;
  queryString: string;
  logGroupNames?: string[];
}

const localKey = "fogwatch.insights.saved";
const isUnknown = (e: unknown) => e instanceof ApiError && /UnknownOperation/.test(e.code);
async function orLocal<T>(remote: () => Promise<T>, local: () => T): Promise<T> {
  try {
    return await remote();
  } catch (e) {
    if (isUnknown(e)) return local();
    throw e;
  }
}
const list = (signal?: AbortSignal) =>
  orLocal(async () => (await logs<{ queryDefinitions?: Definition[] }>("DescribeQueryDefinitions", { maxResults: 1000 }, signal)).queryDefinitions ?? [], () => kept<Definition>(localKey));
const put = (d: Omit<Definition, "queryDefinitionId">, id: string | undefined) =>
  orLocal(
    async () => void (await logs("PutQueryDefinition", { ...d, ...(id ? { queryDefinitionId: id } : {}) })),
    () => keep(localKey, [...kept<Definition>(localKey).filter((x) => x.name !== d.name), { ...d, queryDefinitionId: id ?? crypto.randomUUID() }]),
  );
const remove = (id: string) =>
  orLocal(async () => void (await logs("DeleteQueryDefinition", { queryDefinitionId: id })), () => keep(localKey, kept<Definition>(localKey).filter((x) => x.queryDefinitionId !== id)));

export function Saved({ text, groups, onChoose }: { text: string; groups: string[]; onChoose: (query: string, groups: string[]) => void }) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const saved = useLoad(async (s) => (open ? await list(s) : []), [open]);
  const save = async () => {
    const same = saved.value?.find((d) => d.name === name);
    if (await attempt("Query saved", () => put({ name, queryString: text, ...(groups.length ? { logGroupNames: groups } : {}) }, same?.queryDefinitionId))) saved.reload();
  };
  // "team/errors" stands in the folder "team".
  const folders = [...Map.groupBy([...(saved.value ?? [])].sort((a, b) => a.name.localeCompare(b.name)), (d) => (d.name.includes("/") ? d.name.slice(0, d.name.lastIndexOf("/")) : ""))];
  return (
    <>
      <button onClick={() => setOpen(true)}>Saved</button>
      {open && (
        <Dialog title="Saved queries" onClose={() => setOpen(false)} wide>
          <form class="row" onSubmit={(e) => { e.preventDefault(); void save(); }}>
            <Field label="Save the present query as"><input placeholder="folder/name" value={name} onInput={(e) => setName(e.currentTarget.value)} required maxLength={255} /></Field>
            <button class="primary">Save</button>
          </form>
          {saved.error && <Problem error={saved.error} />}
          {folders.map(([folder, definitions]) => (
            <>
              {folder && <h3>{folder}</h3>}
              {definitions.map((d) => (
                <div class="row">
                  <button class="history grow" onClick={() => { onChoose(d.queryString, d.logGroupNames ?? []); setOpen(false); }}><b>{folder ? d.name.slice(folder.length + 1) : d.name}</b><pre>{d.queryString}</pre></button>
                  <button class="danger" aria-label={`Delete ${d.name}`} onClick={() => void attemptIfSure(`Delete the query ${d.name}?`, "Query deleted", () => remove(d.queryDefinitionId)).then(saved.reload)}>Delete</button>
                </div>
              ))}
            </>
          ))}
          {saved.value?.length === 0 && !saved.loading && <p class="none">None yet.</p>}
        </Dialog>
      )}
    </>
  );
}
