// The text of an Insights query: its commands, and what of it chooses the events.

// Split at | outside of quotes, regexes and brackets; comments cut.
export function commandsOf(text: string): string[] {
  const out: string[] = [];
  let piece = "";
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "#" && /(^|\s)$/.test(piece)) {
      while (i + 1 < text.length && text[i + 1] !== "\n") i++;
    } else if (c === '"' || c === "'" || c === "`" || (c === "/" && /(like|=~|parse\b.*)\s*$/i.test(piece))) {
      const from = i;
      for (i++; i < text.length && text[i] !== c; i++) if (text[i] === "\\") i++;
      piece += text.slice(from, i + 1);
    } else if (c === "|" && depth <= 0) {
      out.push(piece);
      piece = "";
    } else {
      if (c === "(" || c === "[") depth++;
      else if (c === ")" || c === "]") depth--;
      piece += c;
    }
  }
  out.push(piece);
  return out.map((part) => part.trim()).filter(Boolean);
}

// What chooses the events of a query: its commands up to the first that reshapes them.
export function selectionOf(text: string): string {
  const kept: string[] = [];
  for (const command of commandsOf(text)) {
    if (!/^(source|filter|filterindex|fields|parse|unnest)\b/i.test(command)) break;
    kept.push(command);
  }
  return kept.join(" | ");
}
export const withCommand = (selection: string, command: string) => (selection ? selection + " | " + command : command);
