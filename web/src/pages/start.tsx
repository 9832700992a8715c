// Get started: point a client here; the light turns green when its first request arrives.
import { useEffect, useState } from "preact/hooks";

import { control } from "../api/client";
import { param, setParams, href } from "../app/router";
import { region } from "../app/settings";
import { refreshTick } from "../app/time";
import { Badge, Card, Command, endpoint, Page } from "../ui/basic";
import { useLoad } from "../ui/load";
import { attempt } from "../ui/toast";
import type { RequestRow } from "./overview";
import { snippets } from "./snippets";

export default function Start() {
  const at = param("client", "AWS CLI").value;
  const snippet = snippets.find((s) => s.name === at) ?? snippets[0]!;
  const [busy, setBusy] = useState(false);
  const seen = useLoad(async () => (await control<{ requests: RequestRow[] }>("GET", "requests?limit=1000")).requests, [refreshTick.value]);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && seen.reload(), 2000);
    return () => clearInterval(timer);
  }, []);
  const arrived = (s: (typeof snippets)[number]) => (seen.value ?? []).some((r) => !/mozilla/i.test(r.user_agent ?? "") && ((s.seen.agent?.test(r.user_agent ?? "") ?? false) || (s.seen.service?.test(r.service) ?? false)));
  const load = async () => {
    setBusy(true);
    await attempt("Sample data loaded", async () => (await import("./sample_data")).sampleData());
    setBusy(false);
  };
  return (
    <Page title="Get started" actions={<button class="primary" disabled={busy} onClick={() => void load()}>Load sample data</button>}>
      <Card>
        <p>
          Point any AWS SDK, CLI or agent at <code>{endpoint()}</code>. Any access key and secret do; a key of 12 digits chooses the account.
        </p>
        <Command text={`export AWS_ENDPOINT_URL=${endpoint()} AWS_DEFAULT_REGION=${region.value} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test`} />
      </Card>
      <div class="grid two">
        <Card title="Clients" class="clients">
          <ul class="plain">
            {snippets.map((s) => (
              <li>
                <button class={"pick " + (s === snippet ? "on" : "")} aria-pressed={s === snippet} onClick={() => setParams({ client: s.name }, true)}>
                  <i class={"light " + (arrived(s) ? "green" : "")} role="img" aria-label={arrived(s) ? "a request has arrived" : "waiting"} /> {s.name}
                </button>
              </li>
            ))}
          </ul>
        </Card>
        <Card title={snippet.name} actions={arrived(snippet) ? <Badge tone="ok">Data has arrived</Badge> : <Badge tone="idle">Waiting for first data</Badge>}>
          <Command text={snippet.code(endpoint(), region.value)} />
          {snippet.note && <p class="soft">{snippet.note}</p>}
          <p class="soft">
            Then look at <a href={href(["metrics"])}>metrics</a>, <a href={href(["logs", "insights"])}>logs</a>, <a href={href(["traces"])}>traces</a>.
          </p>
        </Card>
      </div>
    </Page>
  );
}
