// Composite alarm rules as a tree, with the truth of each part from the states of the alarms.
//
//   or := and (OR and)*     and := not (AND not)*     not := NOT not | ( or ) | TRUE | FALSE
//   | ALARM(name) | OK(name) | INSUFFICIENT_DATA(name) | AT_LEAST(n | n%, [NOT] STATE, (names))
export interface RuleNode {
  text: string; // "AND", "NOT", "ALARM", ...
  alarm?: string; // of a state test
  parts: RuleNode[];
  truth: (stateOf: (alarm: string) => string | undefined) => boolean;
}

const tokens = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([(),])|([^\s(),"']+))/y;

export function parseRule(text: string): RuleNode | undefined {
  const list: string[] = [];
  tokens.lastIndex = 0;
  while (tokens.lastIndex < text.trimEnd().length) {
    const match = tokens.exec(text);
    if (!match) return undefined;
    list.push((match[1] ?? match[2] ?? match[3])!);
  }
  let at = 0;
  let depth = 0;
  const take = (what: string) => list[at]?.toUpperCase() === what && ++at > 0;
  const must = (what: string) => {
    if (!take(what)) throw new Error(`expected ${what}`);
  };
  const name = () => {
    const raw = list[at++];
    if (raw === undefined || /^[(),]$/.test(raw)) throw new Error("expected a name");
    const plain = /^["']/.test(raw) ? raw.slice(1, -1).replace(/\\(.)/g, "$1") : raw;
    return plain.split(":alarm:").at(-1)!;
  };
  const state = (word: string, alarm: string): RuleNode => ({ text: word, alarm, parts: [], truth: (of) => of(alarm) === word });
  const isState = (word: string | undefined) => word === "ALARM" || word === "OK" || word === "INSUFFICIENT_DATA";
  function primary(): RuleNode {
    if (++depth > 400) throw new Error("too deep");
    const word = list[at++]?.toUpperCase();
    if (word === "NOT") {
      const part = primary();
      return { text: "NOT", parts: [part], truth: (of) => !part.truth(of) };
    }
    if (word === "(") {
      const inner = or();
      must(")");
      return inner;
    }
    if (word === "TRUE" || word === "FALSE") return { text: word, parts: [], truth: () => word === "TRUE" };
    if (isState(word)) {
      must("(");
      const alarm = name();
      must(")");
      return state(word!, alarm);
    }
    if (word === "AT_LEAST") {
      must("(");
      const wanted = name();
      must(",");
      const negated = take("NOT");
      const of = list[at++]!.toUpperCase();
      must(",");
      must("(");
      const parts: RuleNode[] = [];
      do {
        const one = state(of, name());
        parts.push(negated ? { ...one, text: "NOT " + of, truth: (s) => !one.truth(s) } : one);
      } while (take(","));
      must(")");
      must(")");
      const count = wanted.endsWith("%") ? Math.ceil((parseFloat(wanted) / 100) * parts.length) : Number(wanted);
      return { text: `AT LEAST ${wanted}`, parts, truth: (s) => parts.filter((p) => p.truth(s)).length >= count };
    }
    throw new Error("expected a test of an alarm");
  }
  const chain = (word: string, next: () => RuleNode, truth: (parts: RuleNode[]) => RuleNode["truth"]) => (): RuleNode => {
    const parts = [next()];
    while (take(word)) parts.push(next());
    return parts.length === 1 ? parts[0]! : { text: word, parts, truth: truth(parts) };
  };
  const and = chain("AND", primary, (parts) => (of) => parts.every((p) => p.truth(of)));
  const or = chain("OR", and, (parts) => (of) => parts.some((p) => p.truth(of)));
  try {
    const root = or();
    return at === list.length ? root : undefined;
  } catch {
    return undefined;
  }
}

export function alarmsOf(node: RuleNode): string[] {
  return [...new Set([...(node.alarm === undefined ? [] : [node.alarm]), ...node.parts.flatMap(alarmsOf)])];
}
