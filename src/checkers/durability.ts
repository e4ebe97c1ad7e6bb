/**
 * What survives crashes: buffered durable linearizability (Izraelevitz, Mendes and Scott, "Linearizability of Persistent
 * Memory Objects Under a Full-System-Crash Failure Model", DISC 2016) with a floor. Each era between crashes has an order
 * of its operations; the next era begins with the state after some prefix of it. One cut for each crash, over all keys.
 *
 * The floor, which must stand before the cut: every acknowledgement that said `synced` (of a `sync` too: an order puts
 * everything that had returned before its call in front of it), and, when the store promises that readers never see
 * what a crash takes back, every write that a completed read of the era returned.
 */
import type { History, HistoryOperation } from '../history/history.ts';
import { DEFAULT_BUDGET, searchInCells, verdictOf } from './linearizability.ts';
import { type SearchBudget } from './order-search.ts';
import { plainReads } from './plain-reads.ts';
import { searchInput } from './search-input.ts';
import type { HistoryVerdict } from './verdict.ts';

/** What the store promises. */
export interface DurabilityOptions {
  /** Which acknowledged operations survive: those that said so (the default), or all: a killed process, not a power cut. */
  readonly survives?: 'synced' | 'acknowledged';
  /** What a completed read returned survives too: the durability mode `commit`. Off by default. */
  readonly readsAreDurable?: boolean;
  readonly budget?: SearchBudget;
}

const nameOf = (key: string, value: string | null): string => JSON.stringify([key, value]);

/** Writers of values that only one operation wrote. */
function uniqueWriters(operations: readonly HistoryOperation[]): ReadonlyMap<string, number> {
  const writers = new Map<string, number>();
  operations.forEach((operation, i) => {
    if (operation.kind === 'append') return;
    for (const { key, value } of operation.writes)
      writers.set(nameOf(key, value), writers.has(nameOf(key, value)) ? -1 : i);
  });
  return writers;
}

function floorOf(
  operations: readonly HistoryOperation[],
  crashes: readonly number[],
  options: DurabilityOptions,
): Uint8Array {
  const durable = new Uint8Array(operations.length);
  const writers = uniqueWriters(operations);
  const eraOf = (event: number): number => crashes.filter((crash) => crash < event).length;
  operations.forEach((operation, i) => {
    if (operation.outcome !== 'ok') return;
    if (operation.durability === 'synced' || options.survives === 'acknowledged') durable[i] = 1;
    if (options.readsAreDurable !== true) return;
    for (const { key, value } of operation.reads) {
      const writer = value === null ? undefined : writers.get(nameOf(key, value));
      if (writer === undefined || writer < 0 || writer === i) continue;
      if (eraOf(operations[writer].call) === eraOf(operation.call)) durable[writer] = 1;
    }
  });
  return durable;
}

/**
 * Whether some orders and cuts explain everything that was read, before and after the crashes.
 * @returns `not-durable` with the longest explained prefix; `unknown` past the budget. Without crashes it says what
 *   linearizability says. Exponential in the worst case.
 */
export function checkDurability(recorded: History, options: DurabilityOptions = {}): HistoryVerdict {
  const history = plainReads(recorded);
  if ('verdict' in history) return history;
  const input = searchInput(history.operations);
  const { operations } = input;
  const crashes = history.markers.filter(({ kind }) => kind === 'crash').map(({ index }) => index);
  const durable = floorOf(operations, crashes, options);
  const timed = { ...input, count: operations.length, crashes, durable };
  const result = searchInCells(timed, input, options.budget ?? DEFAULT_BUDGET);
  const kind = crashes.length === 0 ? 'not-linearizable' : 'not-durable';
  return verdictOf(result, operations, kind, history.operations.length);
}
