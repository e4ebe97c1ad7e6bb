/**
 * Isolation by trying every execution, for tests alone: written apart from the checkers that it judges, on values and
 * states, without versions, writers or graphs. Levels as in Crooks et al., "Seeing is Believing" (PODC 2017).
 */
import type { Access, RecordedTransaction, TransactionalHistory } from '../../history/transactions.ts';
import type { CheckedLevel } from './levels.ts';

type Value = string | null | readonly string[];
type State = ReadonlyMap<string, Value>;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b);
const listOf = (value: Value | undefined): readonly string[] => (Array.isArray(value) ? (value as string[]) : []);
const registerOf = (value: Value | undefined): Value => value ?? null;

/** Runs a transaction on a state; `undefined` when a read differs. `past`: reads may come from any earlier state. */
function runOn(
  transaction: RecordedTransaction,
  state: State,
  past: readonly State[],
  allKeys: readonly string[],
  installed: Map<string, Value[]>,
): Map<string, Value> | undefined {
  const own = new Map<string, Access[]>();
  const sees = (key: string, expected: Value, list: boolean): boolean =>
    past.some((earlier) => {
      let value: Value = list ? listOf(earlier.get(key)) : registerOf(earlier.get(key));
      for (const write of own.get(key) ?? []) {
        if (write.kind === 'append') value = [...listOf(value), write.element];
        else if (write.kind === 'write') value = write.value;
      }
      return same(value, expected);
    });
  for (const access of transaction.accesses) {
    if (access.kind === 'read' && !sees(access.key, access.value, false)) return undefined;
    if (access.kind === 'list' && !sees(access.key, access.elements, true)) return undefined;
    if (access.kind === 'write' || access.kind === 'append') {
      own.set(access.key, [...(own.get(access.key) ?? []), access]);
    }
    if (access.kind === 'range') {
      const rows = new Map(access.rows.map(({ key, value }) => [key, value]));
      const within = allKeys.filter((key) => key >= access.from && (access.to === null || key < access.to));
      if ([...rows.keys()].some((key) => !within.includes(key)) || rows.size !== access.rows.length) return undefined;
      if ([...rows.values()].includes(null)) return undefined;
      if (!within.every((key) => sees(key, rows.get(key) ?? null, false))) return undefined;
    }
  }
  const after = new Map(state);
  for (const [key, writes] of own) {
    for (const write of writes) {
      if (write.kind === 'append') after.set(key, [...listOf(after.get(key)), write.element]);
      else if (write.kind === 'write') after.set(key, write.value);
    }
    installed.set(key, [...(installed.get(key) ?? []), after.get(key) ?? null]);
  }
  return after;
}

/** Whether some execution of the level explains the history. */
export function someExecutionExplains(history: TransactionalHistory, level: CheckedLevel): boolean {
  const all = history.transactions.filter(({ outcome }) => outcome !== 'failed');
  const allKeys = [...new Set(history.transactions.flatMap((t) => t.accesses.flatMap(keysWritten)))];
  const inTime = level === 'strict-serializable' || level === 'strong-snapshot-isolation';
  const twoPoints = level === 'snapshot-isolation' || level === 'strong-snapshot-isolation';
  const asTold = (installed: ReadonlyMap<string, Value[]>): boolean =>
    [...(history.versionOrders ?? [])].every(([key, order]) => same(installed.get(key) ?? [], [...order]));
  const writesOf = (t: RecordedTransaction): string[] => t.accesses.flatMap(keysWritten);
  const commitsDone = (waiting: readonly RecordedTransaction[], started: readonly Started[]): boolean =>
    started.length === 0 && waiting.every(({ outcome }) => outcome === 'unknown');
  interface Started {
    readonly transaction: RecordedTransaction;
    readonly snapshot: State;
    readonly touched: Set<string>;
  }
  const step = (
    waiting: readonly RecordedTransaction[],
    started: readonly Started[],
    states: readonly State[],
    installed: Map<string, Value[]>,
  ): boolean => {
    if (commitsDone(waiting, started) && asTold(installed)) return true;
    const state = states[states.length - 1];
    const until = Math.min(...[...waiting, ...started.map((s) => s.transaction)].map((t) => t.return));
    for (const transaction of waiting) {
      if (inTime && transaction.call > until) continue;
      const others = waiting.filter((other) => other !== transaction);
      if (twoPoints) {
        const entry: Started = { transaction, snapshot: state, touched: new Set() };
        if (runOn(transaction, state, [state], allKeys, new Map()) === undefined) continue;
        if (step(others, [...started, entry], states, installed)) return true;
        continue;
      }
      const log = new Map(installed);
      const past = level === 'read-committed' ? states : [state];
      const after = runOn(transaction, state, past, allKeys, log);
      if (after !== undefined && step(others, started, [...states, after], log)) return true;
    }
    for (const entry of started) {
      const writes = writesOf(entry.transaction);
      if (writes.some((key) => entry.touched.has(key))) continue;
      const log = new Map(installed);
      const after = runOn(entry.transaction, state, [entry.snapshot], allKeys, log);
      if (after === undefined) continue;
      const others = started.filter((other) => other !== entry);
      const seen = others.map((other) => ({ ...other, touched: new Set([...other.touched, ...writes]) }));
      if (step(waiting, seen, [...states, after], log)) return true;
    }
    return false;
  };
  return step(all, [], [new Map()], new Map());
}

function keysWritten(access: Access): string[] {
  return access.kind === 'write' || access.kind === 'append' ? [access.key] : [];
}
