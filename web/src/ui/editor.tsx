// A code editor for queries: highlighting, completion and an underlined error; Ctrl-Enter runs.
//
// It lives in a shadow root, where CodeMirror's styles are constructed sheets: the page's content
// security policy allows no inline style elements. This file is a lazy chunk of its own.
import { autocompletion, closeBrackets, completionKeymap, type Completion, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";

import { dark } from "../app/settings";

export interface EditorProps {
  label: string;
  text: string;
  onChange: (text: string) => void;
  onRun: () => void;
  keywords: Completion[];
  fields?: string[];
  error?: { from: number; to: number; message: string } | undefined;
  hint?: string;
  small?: boolean; // one line high until it grows
}

function language(words: ReadonlySet<string>) {
  return StreamLanguage.define<null>({
    startState: () => null,
    token(stream) {
      if (stream.match(/^#.*/)) return "comment";
      if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) return "string";
      if (stream.match(/^\/(?:[^/\\\n]|\\.)+\/[a-z]*/)) return "string2";
      if (stream.match(/^`[^`]*`?/) || stream.match(/^@\w+/)) return "variableName";
      if (stream.match(/^\d+(\.\d+)?([smhdw]\b)?/)) return "number";
      if (stream.match(/^[|(),=<>!~*+\-/%^]+/)) return "operator";
      const word = stream.match(/^[A-Za-z_][\w.]*/) as RegExpMatchArray | null;
      if (word) return words.has(word[0].toLowerCase()) ? "keyword" : "variableName";
      stream.next();
      return null;
    },
  });
}

const colors = (isDark: boolean) =>
  HighlightStyle.define([
    { tag: tags.keyword, color: isDark ? "#6fd3e8" : "#0b6e85", fontWeight: "600" },
    { tag: tags.string, color: isDark ? "#8fd9a8" : "#14743a" },
    { tag: tags.special(tags.string), color: isDark ? "#f3b676" : "#a34400" },
    { tag: tags.number, color: isDark ? "#d8b4fe" : "#7a2f9c" },
    { tag: tags.comment, color: isDark ? "#93a8b0" : "#5a6d76" },
    { tag: tags.operator, color: isDark ? "#c7d5da" : "#33474f" },
  ]);
const look = (isDark: boolean, small = false) => [
  syntaxHighlighting(colors(isDark)),
  EditorView.theme(
    {
      "&": { color: isDark ? "#e3edf0" : "#14232a", backgroundColor: isDark ? "#101c20" : "#fbfdfd", fontSize: "13.5px", border: `1px solid ${isDark ? "#2a3d44" : "#d5dee2"}`, borderRadius: "6px" },
      ".cm-content": { fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace', minHeight: small ? "24px" : "96px", caretColor: isDark ? "#fff" : "#000" },
      "&.cm-focused": { outline: `2px solid ${isDark ? "#4fc3dc" : "#0b6e85"}` },
      ".cm-tooltip": { backgroundColor: isDark ? "#1a2a2f" : "#fff", color: isDark ? "#e3edf0" : "#14232a", border: `1px solid ${isDark ? "#2a3d44" : "#d5dee2"}` },
      ".cm-gutters": { display: "none" },
      ".cm-placeholder": { color: isDark ? "#9db2ba" : "#4c606a" },
    },
    { dark: isDark },
  ),
];

export default function Editor(props: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef(props);
  latest.current = props;
  // What was typed comes back by props, maybe late: such an echo must not overwrite what came after.
  const typed = useRef(new Set<string>());
  const isDark = dark.value;
  const themeSlot = useRef(new Compartment());

  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const complete = (context: CompletionContext) => {
      const word = context.matchBefore(/[@\w.`]+/);
      if (!word && !context.explicit) return null;
      const fields = (latest.current.fields ?? []).map((f): Completion => ({ label: /^[@\w.]+$/.test(f) ? f : "`" + f + "`", type: "property" }));
      return { from: word?.from ?? context.pos, options: [...latest.current.keywords, ...fields] };
    };
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: props.text,
        extensions: [
          Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (latest.current.onRun(), true) }])),
          history(),
          closeBrackets(),
          bracketMatching(),
          autocompletion({ override: [complete] }),
          keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
          lintGutter(),
          language(new Set(props.keywords.map((k) => k.label.toLowerCase()))),
          placeholder(props.hint ?? ""),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": props.label }),
          EditorView.updateListener.of((u) => {
            if (!u.docChanged) return;
            const text = u.state.doc.toString();
            typed.current.add(text);
            latest.current.onChange(text);
          }),
          themeSlot.current.of(look(isDark, props.small)),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => view.current?.dispatch({ effects: themeSlot.current.reconfigure(look(isDark, props.small)) }), [isDark]);
  useEffect(() => {
    const now = view.current;
    if (!now) return;
    if (now.state.doc.toString() === props.text) typed.current.clear();
    else if (!typed.current.has(props.text)) now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: props.text } });
  }, [props.text]);
  useEffect(() => {
    const now = view.current;
    if (!now) return;
    const length = now.state.doc.length;
    const mark = props.error && { from: Math.min(props.error.from, length), to: Math.min(Math.max(props.error.to, props.error.from + 1), length), severity: "error" as const, message: props.error.message };
    now.dispatch(setDiagnostics(now.state, mark ? [mark] : []));
  }, [props.error]);
  return <div ref={host} class="editor" />;
}
