/** The graph of states that TLC writes with `-dump dot`, and the values in it. */
import { LightningError } from '../src/base/errors.ts';

/** A TLA+ value as JSON would have it: a set is a list in the order in which TLC prints it. */
export type TlaValue = number | boolean | string | readonly TlaValue[] | { readonly [field: string]: TlaValue };

/** Variables by name. */
export type ModelState = Readonly<Record<string, TlaValue>>;

/** All reachable states; edges name them by index, 0 is the first. */
export interface StateGraph {
  readonly states: readonly ModelState[];
  /** For each state, where a step may lead; each once. */
  readonly next: readonly (readonly number[])[];
}

const TOKEN = /\s*(<<|>>|\|->|-?\d+|\w+|"[^"]*"|[[\]{},])/y;

class ValueReader {
  private readonly tokens: string[] = [];
  private at = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) this.tokens.push(match[1]);
  }

  value(): TlaValue {
    const token = this.tokens[this.at++];
    if (token === '{') return this.list('}');
    if (token === '<<') return this.list('>>');
    if (token === '[') return this.record();
    if (/^(true|false)$/i.test(token)) return token.toUpperCase() === 'TRUE';
    if (token.startsWith('"')) return token.slice(1, -1);
    if (/^-?\d+$/.test(token)) return Number(token);
    throw new LightningError('LIGHTNING_HARNESS', `not a TLA+ value: ${token}`);
  }

  private list(end: string): TlaValue[] {
    const values: TlaValue[] = [];
    while (this.tokens[this.at] !== end) {
      values.push(this.value());
      if (this.tokens[this.at] === ',') this.at++;
    }
    this.at++;
    return values;
  }

  private record(): Readonly<Record<string, TlaValue>> {
    const fields: Record<string, TlaValue> = {};
    while (this.tokens[this.at] !== ']') {
      const name = this.tokens[this.at];
      this.at += 2;
      fields[name] = this.value();
      if (this.tokens[this.at] === ',') this.at++;
    }
    this.at++;
    return fields;
  }
}

/** A value as TLC or tla-checker prints it: numbers, booleans, strings, sets, sequences, records. */
export function parseTlaValue(text: string): TlaValue {
  return new ValueReader(text).value();
}

const NODE = /^(-?\d+) \[label="((?:[^"\\]|\\.)*)"/;
const EDGE = /^(-?\d+) -> (-?\d+)/;

/** Reads what `-dump dot` wrote. @throws LightningError `LIGHTNING_HARNESS` for an edge to nowhere */
export function parseStateGraph(dot: string): StateGraph {
  const states: ModelState[] = [];
  const indexOf = new Map<string, number>();
  const edges: [string, string][] = [];
  for (const line of dot.split('\n')) {
    const edge = EDGE.exec(line);
    if (edge !== null) {
      edges.push([edge[1], edge[2]]);
      continue;
    }
    const node = NODE.exec(line);
    if (node === null || indexOf.has(node[1])) continue;
    indexOf.set(node[1], states.length);
    states.push(stateOf(node[2].replaceAll('\\n', '\n').replaceAll('\\"', '"').replaceAll('\\\\', '\\')));
  }
  const next = states.map(() => new Set<number>());
  for (const [from, to] of edges) {
    const [a, b] = [indexOf.get(from), indexOf.get(to)];
    if (a === undefined || b === undefined) throw new LightningError('LIGHTNING_HARNESS', 'an edge leads nowhere');
    if (a !== b) next[a].add(b);
  }
  return { states, next: next.map((set) => [...set]) };
}

function stateOf(label: string): ModelState {
  const parts = label.split(/^\/\\ /m).filter((part) => part.trim() !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const equals = part.indexOf(' = ');
      return [part.slice(0, equals).trim(), parseTlaValue(part.slice(equals + 3))];
    }),
  );
}
