/**
 * Histories of Jepsen (github.com/jepsen-io/jepsen), in both forms they come in: EDN maps with `:process :type :f :value`,
 * and the older log lines `INFO jepsen.util - 0 :invoke :read nil`, of which Porcupine bundles a hundred; and the way back
 * for transactions, as the command line of Elle reads them.
 *
 * `:ok` is an answer, `:fail` definitely did nothing, `:info` may or may not have happened and ends its process. One
 * exception: a log line with `:fail :cas [a b]` says that the register did not hold a. An empty text read from a key that
 * is appended to is an absent one.
 */
import { LightningError } from '../base/errors.ts';
import { type Edn, ednText, isKeyword, readEdn } from './edn.ts';
import { type HistoryEvent, historyOfEvents } from './events.ts';
import type { Access, Cell, History, HistoryKind, HistoryOperation } from './history.ts';
import { HISTORY_EVENTS_MAX } from './limits.ts';

interface Entry {
  readonly line: number;
  readonly process: number;
  readonly type: string;
  readonly f: string;
  readonly key: string | undefined;
  readonly value: Edn;
  readonly milliseconds: number;
  readonly fromLog: boolean;
}

const KINDS: Readonly<Record<string, HistoryKind>> = {
  read: 'read',
  get: 'read',
  r: 'read',
  write: 'write',
  put: 'write',
  w: 'write',
  cas: 'cas',
  append: 'append',
  txn: 'transaction',
};
const TYPES = ['invoke', 'ok', 'fail', 'info'];

function refuse(line: number, problem: string): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history, line ${line}: ${problem}`, { line, problem });
}

const nameOf = (value: Edn | undefined): string => (isKeyword(value) ? value.name.replace(/^:/, '') : '');
const textOrNull = (value: Edn): string | null => (value === null || value === '' ? null : ednText(value));

function* entriesOf(text: string): Generator<Entry> {
  const log = /^INFO\s+jepsen\.util\s+-\s+(\S+)\s+:(\w+)\s+:(\w+)\s+(.*)$/;
  const lines = text.split('\n');
  if (lines.some((line) => log.test(line))) {
    for (const [index, content] of lines.entries()) {
      const found = log.exec(content);
      if (found === null || !/^\d+$/.test(found[1])) continue;
      const [value] = [...readEdn(found[4])].map((entry) => entry.value);
      yield {
        ...{ line: index + 1, process: Number(found[1]), type: found[2], f: found[3] },
        key: undefined,
        value: value ?? null,
        milliseconds: 0,
        fromLog: true,
      };
    }
    return;
  }
  for (const { value: top, line } of readEdn(text)) {
    // A whole history may stand in one vector.
    for (const map of Array.isArray(top) ? (top as readonly Edn[]) : [top]) {
      if (!(map instanceof Map)) refuse(line, 'not a map');
      const fields = map as ReadonlyMap<string, Edn>;
      const process = fields.get(':process');
      if (typeof process !== 'number') continue; // The nemesis.
      const key = fields.get(':key');
      const time = fields.get(':time');
      const milliseconds = typeof time === 'number' ? time / 1e6 : 0;
      const [type, f] = [nameOf(fields.get(':type')), nameOf(fields.get(':f'))];
      if (!TYPES.includes(type)) refuse(line, `unknown type "${type}"`);
      yield {
        line,
        process,
        type,
        f,
        key: key === undefined ? undefined : ednText(key),
        value: fields.get(':value') ?? null,
        milliseconds,
        fromLog: false,
      };
    }
  }
}

/** Reads a history of Jepsen's. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` naming the line and what is wrong */
export function parseJepsen(text: string): History {
  const events: HistoryEvent[] = [];
  const open = new Map<number, { id: number; entry: Entry }>();
  const appends = /:append\b/.test(text);
  let nextId = 0;
  for (const entry of entriesOf(text)) {
    if (events.length >= HISTORY_EVENTS_MAX) refuse(entry.line, 'too many lines');
    const { process, type, line, milliseconds: time } = entry;
    if (type === 'invoke') {
      if (open.has(process)) refuse(line, `process ${process} has two operations at once`);
      const id = nextId++;
      open.set(process, { id, entry });
      events.push({ event: 'call', id, client: process, ...callOf(entry, appends), time });
      continue;
    }
    const call = open.get(process);
    if (call === undefined) refuse(line, `process ${process} returns before its call`);
    open.delete(process);
    events.push({ event: 'return', id: call.id, time, ...answerOf(entry, call.entry, appends) });
  }
  return historyOfEvents(events);
}

function pairOf({ value, line }: Entry): readonly [Edn, Edn] {
  if (!Array.isArray(value) || value.length !== 2) refuse(line, 'a cas without two values');
  return [value[0] as Edn, value[1] as Edn];
}

function callOf(
  entry: Entry,
  appends: boolean,
): { kind: HistoryKind; writes: readonly Cell[]; expected?: string | null } {
  const kind = KINDS[entry.f] ?? refuse(entry.line, `unknown operation "${entry.f}"`);
  const key = entry.key ?? 'register';
  if (kind === 'read') return { kind, writes: [] };
  if (kind === 'cas') {
    const [from, to] = pairOf(entry);
    return { kind, expected: textOrNull(from), writes: [{ key, value: ednText(to) }] };
  }
  if (kind !== 'transaction') return { kind, writes: [{ key, value: ednText(entry.value) }] };
  return { kind, writes: endsOf(accessesOf(entry, appends)).writes };
}

function answerOf(
  entry: Entry,
  call: Entry,
  appends: boolean,
): Omit<Extract<HistoryEvent, { event: 'return' }>, 'event' | 'id' | 'time'> {
  const kind = KINDS[call.f];
  if (entry.type === 'info') return { outcome: 'unknown', reads: [] };
  if (entry.type === 'fail') {
    const refused = kind === 'cas' && entry.fromLog && Array.isArray(entry.value);
    return refused ? { outcome: 'ok', reads: [], swapped: false } : { outcome: 'failed', reads: [] };
  }
  if (kind === 'read')
    return { outcome: 'ok', reads: [{ key: call.key ?? 'register', value: textOrNull(entry.value) }] };
  if (kind === 'cas') return { outcome: 'ok', reads: [], swapped: true };
  if (kind !== 'transaction') return { outcome: 'ok', reads: [] };
  const accesses = accessesOf(entry, appends);
  return { outcome: 'ok', accesses, ...endsOf(accesses) };
}

function accessesOf({ value, line }: Entry, appends: boolean): readonly Access[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly Edn[]).map((access): Access => {
    if (!Array.isArray(access) || access.length !== 3) refuse(line, 'an access is not [function key value]');
    const [f, key, seen] = access as readonly Edn[];
    const name = nameOf(f);
    if (name === 'append') return { kind: 'append', key: ednText(key), element: ednText(seen) };
    if (name === 'w') return { kind: 'write', key: ednText(key), value: ednText(seen) };
    if (name !== 'r') refuse(line, `unknown access "${name}"`);
    if (Array.isArray(seen))
      return { kind: 'list', key: ednText(key), elements: (seen as readonly Edn[]).map(ednText) };
    if (appends) return { kind: 'list', key: ednText(key), elements: [] };
    return { kind: 'read', key: ednText(key), value: seen === null ? null : ednText(seen) };
  });
}

/** What is left of plain accesses at both ends: the first read of each key before its first write, the last write. */
function endsOf(accesses: readonly Access[]): { reads: readonly Cell[]; writes: readonly Cell[] } {
  const reads = new Map<string, string | null>();
  const writes = new Map<string, string | null>();
  for (const access of accesses) {
    if (access.kind === 'read' && !writes.has(access.key) && !reads.has(access.key))
      reads.set(access.key, access.value);
    if (access.kind === 'write') writes.set(access.key, access.value);
  }
  const cells = (of: ReadonlyMap<string, string | null>): Cell[] => [...of].map(([key, value]) => ({ key, value }));
  return { reads: cells(reads), writes: cells(writes) };
}

/** The transactions of a history as EDN maps, one a line, as elle-cli reads them; keys and values as strings. */
export function formatElle(history: History): string {
  const lines: { at: number; text: string }[] = [];
  for (const operation of history.operations) {
    const accesses = operation.accesses ?? accessesOfCells(operation);
    const line = (type: string, at: number, told: boolean): void => {
      const value = accesses.map((access) => formatAccess(access, told)).join(' ');
      lines.push({
        at,
        text: `{:index ${at}, :type :${type}, :process ${operation.client}, :f :txn, :value [${value}]}\n`,
      });
    };
    line('invoke', operation.call, false);
    if (operation.outcome !== 'unknown') line(operation.outcome === 'ok' ? 'ok' : 'fail', operation.return, true);
  }
  return lines
    .sort((a, b) => a.at - b.at)
    .map(({ text }) => text)
    .join('');
}

function accessesOfCells({ reads, writes }: HistoryOperation): readonly Access[] {
  return [
    ...reads.map((cell) => ({ kind: 'read', ...cell }) as const),
    ...writes.map((cell) => ({ kind: 'write', ...cell }) as const),
  ];
}

function formatAccess(access: Access, told: boolean): string {
  const text = (value: string | null): string => (value === null ? 'nil' : JSON.stringify(value));
  if (access.kind === 'range')
    return access.rows.map(({ key, value }) => `[:r ${text(key)} ${told ? text(value) : 'nil'}]`).join(' ');
  const key = text(access.key);
  if (access.kind === 'append') return `[:append ${key} ${text(access.element)}]`;
  if (access.kind === 'list') return `[:r ${key} ${told ? `[${access.elements.map(text).join(' ')}]` : 'nil'}]`;
  return access.kind === 'write'
    ? `[:w ${key} ${text(access.value)}]`
    : `[:r ${key} ${told ? text(access.value) : 'nil'}]`;
}
