// The editor without its weight: a plain text area until the chunk is here.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { EditorProps } from "./editor";

let ready: ComponentType<EditorProps> | undefined;

export function QueryEditor(props: EditorProps) {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!ready)
      void import("./editor").then((m) => {
        ready = m.default;
        redraw((n) => n + 1);
      });
  }, []);
  const Ready = ready;
  return Ready ? (
    <Ready {...props} />
  ) : (
    <textarea aria-label={props.label} rows={props.small ? 2 : 5} value={props.text} onInput={(e) => props.onChange(e.currentTarget.value)} onKeyDown={(e) => (e.ctrlKey || e.metaKey) && e.key === "Enter" && props.onRun()} />
  );
}
