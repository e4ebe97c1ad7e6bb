/**
 * Reads the part of EDN that histories are written in (the extensible data notation of Clojure, edn-format.org): maps,
 * vectors, lists, sets, keywords, symbols, strings, numbers, nil, booleans, comments; a tag is read as what it stands before.
 */
import { LightningError } from '../base/errors.ts';
import { EDN_DEPTH_MAX } from './limits.ts';

/** A value: keywords keep their colon, lists and sets are arrays, keys of maps are texts. */
export type Edn = null | boolean | number | string | Keyword | readonly Edn[] | ReadonlyMap<string, Edn>;

/** A keyword or a symbol, told apart from a string. */
export interface Keyword {
  readonly name: string;
}

const TOKEN = /[\s,]*(?:;[^\n]*\n?[\s,]*)*(#\{|[{}[\]()]|"(?:[^"\\]|\\.)*"|#[A-Za-z][^\s,{[("]*|[^\s,{}[\]()"]+)/y;
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']', '(': ')', '#{': '}' };

/** Whether a value is a keyword or symbol. */
export function isKeyword(value: Edn | undefined): value is Keyword {
  return typeof value === 'object' && value !== null && 'name' in value;
}

/** The text of a scalar, as keys and values of histories are compared. */
export function ednText(value: Edn): string {
  if (typeof value === 'string') return value;
  if (isKeyword(value)) return value.name;
  if (Array.isArray(value)) return `[${value.map((element: Edn) => ednText(element)).join(' ')}]`;
  return String(value);
}

/** Reads all values of a text. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` naming the line */
export function* readEdn(text: string): Generator<{ readonly value: Edn; readonly line: number }> {
  let at = 0;
  let line = 1;
  const refuse = (problem: string): never => {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history, line ${line}: ${problem}`, { line, problem });
  };
  const token = (): string | undefined => {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) {
      if (text.slice(at).replaceAll(/[\s,]|;[^\n]*/g, '') !== '') refuse('not EDN');
      return undefined;
    }
    for (let i = at; i < TOKEN.lastIndex; i++) if (text.charCodeAt(i) === 10) line++;
    at = TOKEN.lastIndex;
    return found[1];
  };
  const value = (first: string, depth: number): Edn => {
    if (depth > EDN_DEPTH_MAX) refuse('nested too deep');
    if (first.startsWith('#') && first !== '#{') return value(token() ?? refuse('the last value is cut'), depth + 1);
    const closing = CLOSING[first];
    if (closing === undefined) return /^[\])}"]$/.test(first) ? refuse(`"${first}" stands alone`) : scalar(first);
    const elements: Edn[] = [];
    for (;;) {
      const next = token() ?? refuse('the last value is cut');
      if (next === closing) break;
      elements.push(value(next, depth + 1));
    }
    if (first !== '{') return elements;
    if (elements.length % 2 !== 0) refuse('a map with a key and no value');
    const map = new Map<string, Edn>();
    for (let i = 0; i < elements.length; i += 2) map.set(ednText(elements[i]), elements[i + 1]);
    return map;
  };
  for (let first = token(); first !== undefined; first = token()) {
    const startLine = line;
    yield { value: value(first, 0), line: startLine };
  }
}

function scalar(token: string): Edn {
  if (token === 'nil') return null;
  if (token === 'true' || token === 'false') return token === 'true';
  if (token.startsWith('"'))
    return token.slice(1, -1).replaceAll(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c));
  const number = Number(token.replace(/[NM]$/, ''));
  return Number.isNaN(number) ? { name: token } : number;
}
