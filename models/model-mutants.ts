/**
 * Faults in a model that no broken configuration stands for: every invariant weakened to TRUE, every guard of an action
 * taken away, one at a time. What notices none of them guards nothing.
 *
 * A guard is a conjunct of an action, two blanks in, that says nothing of the next state.
 */

/** One changed model. */
export interface ModelMutant {
  readonly kind: 'invariant' | 'guard';
  /** The definition it is in. */
  readonly definition: string;
  /** What was taken away, on one line. */
  readonly text: string;
  readonly line: number;
  /** The whole module with the change. */
  readonly source: string;
}

interface Definition {
  readonly name: string;
  /** Lines of the body, from `start` up to but without `end`. */
  readonly start: number;
  readonly end: number;
}

const HEAD = /^([A-Za-z]\w*)(\([^)]*\))?\s*==/;

function definitionsOf(lines: readonly string[]): Definition[] {
  const heads = lines.flatMap((line, index) => {
    const name = HEAD.exec(line)?.[1];
    return name === undefined ? [] : [{ name, start: index }];
  });
  return heads.map(({ name, start }, i) => {
    let end = heads.at(i + 1)?.start ?? lines.length;
    const stop = lines.findIndex((line, index) => index > start && index < end && /^(-{4}|={4}|\\\*|$)/.test(line));
    if (stop >= 0) end = stop;
    return { name, start, end };
  });
}

const oneLine = (lines: readonly string[]): string => lines.join(' ').replaceAll(/\s+/g, ' ').trim();

function replaced(lines: readonly string[], start: number, end: number, by: string): string {
  return [...lines.slice(0, start), by, ...lines.slice(end)].join('\n');
}

/** The conjuncts of a body, each with its continuation lines. */
function conjunctsOf(lines: readonly string[], { start, end }: Definition): { start: number; end: number }[] {
  const starts: number[] = [];
  for (let i = start + 1; i < end; i++) if (lines[i].startsWith('  /\\ ')) starts.push(i);
  return starts.map((at, i) => ({ start: at, end: starts.at(i + 1) ?? end }));
}

/**
 * Every mutant of a module.
 * @param invariants names of the invariants that its configurations list
 */
export function mutantsOf(source: string, invariants: ReadonlySet<string>): ModelMutant[] {
  const lines = source.split('\n');
  const mutants: ModelMutant[] = [];
  for (const definition of definitionsOf(lines)) {
    const { name, start, end } = definition;
    if (invariants.has(name)) {
      const changed = replaced(lines, start, end, `${name} == TRUE`);
      mutants.push({ kind: 'invariant', definition: name, text: 'TRUE', line: start + 1, source: changed });
      continue;
    }
    const conjuncts = conjunctsOf(lines, definition);
    const isNext = (text: string): boolean => text.includes("'") || text.includes('UNCHANGED');
    // An action changes something; what never does is a helper, Init among them.
    if (!conjuncts.some((one) => isNext(oneLine(lines.slice(one.start, one.end))))) continue;
    for (const one of conjuncts) {
      const parts = partsOf(oneLine(lines.slice(one.start, one.end)).slice(3));
      parts.forEach((text, i) => {
        if (isNext(text) || callsAction(lines, text)) return;
        const rest = parts.with(i, 'TRUE').join(' /\\ ');
        const changed = replaced(lines, one.start, one.end, `  /\\ ${rest}`);
        mutants.push({ kind: 'guard', definition: name, text, line: one.start + 1, source: changed });
      });
    }
  }
  return mutants;
}

/** The conjuncts written side by side on one line; one whole where anything else binds them. */
function partsOf(text: string): string[] {
  if (/\\[AE] |\bIF\b|\bLET\b|=>|^\/\\/.test(text)) return [text];
  const parts = [''];
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ('([{'.includes(text[i])) depth++;
    else if (')]}'.includes(text[i])) depth--;
    if (depth === 0 && text.startsWith(' \\/ ', i)) return [text];
    if (depth === 0 && text.startsWith(' /\\ ', i)) {
      parts.push('');
      i += 3;
    } else parts[parts.length - 1] += text[i];
  }
  return parts;
}

/** An action that another one calls is no guard. */
function callsAction(lines: readonly string[], text: string): boolean {
  const called = /^([A-Z]\w*)(\(.*\))?$/.exec(text)?.[1];
  const definition = definitionsOf(lines).find(({ name }) => name === called);
  return definition !== undefined && oneLine(lines.slice(definition.start, definition.end)).includes("' ");
}
