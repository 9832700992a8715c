// Chooses log groups by name or prefix; what is chosen stands as chips.
import { useState } from "preact/hooks";

import { logs } from "../api/client";
import { account, region } from "../app/settings";
import { closeOnLeave, Search } from "../ui/basic";
import { useLoad } from "../ui/load";

export interface LogGroup {
  logGroupName: string;
  arn?: string;
  logGroupArn?: string;
  storedBytes?: number;
  retentionInDays?: number;
  creationTime?: number;
  logGroupClass?: string;
  metricFilterCount?: number;
  deletionProtectionEnabled?: boolean;
}

export function GroupPicker({ chosen, onChange }: { chosen: string[]; onChange: (names: string[]) => void }) {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const found = useLoad(
    async (s) => (open ? ((await logs<{ logGroups?: LogGroup[] }>("DescribeLogGroups", { limit: 50, ...(text ? { logGroupNamePattern: text } : {}) }, s)).logGroups ?? []) : []),
    [text, open, region.value, account.value],
  );
  const turn = (name: string) => onChange(chosen.includes(name) ? chosen.filter((n) => n !== name) : [...chosen, name]);
  return (
    <div class="group-picker grow" onFocusOut={closeOnLeave(() => setOpen(false))} onKeyDown={(e) => e.key === "Escape" && setOpen(false)}>
      {chosen.map((name) => (
        <span class="chip">
          {name} <button class="icon" aria-label={"Remove " + name} onClick={() => turn(name)}>×</button>
        </span>
      ))}
      <Search label={chosen.length ? "Add log groups" : "Choose log groups"} value={text} onInput={setText} onFocus={() => setOpen(true)} />
      {open && (
        <div class="popover picker" tabIndex={-1}>
          {(found.value ?? []).map((g) => (
            <label class="row">
              <input type="checkbox" checked={chosen.includes(g.logGroupName)} onChange={() => turn(g.logGroupName)} />
              <span>{g.logGroupName}</span>
            </label>
          ))}
          {found.value?.length === 0 && <p class="none">No log group{text ? " with this in its name" : " yet"}.</p>}
          {!!found.value?.length && (
            <div class="row">
              <button onClick={() => onChange([...new Set([...chosen, ...found.value!.map((g) => g.logGroupName)])])}>Choose all shown</button>
              <button onClick={() => onChange([])}>None</button>
            </div>
          )}
        </div>
      )}
    </div>
  );
}
