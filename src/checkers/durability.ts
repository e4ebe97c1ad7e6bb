/**
 * What survives crashes: buffered durable linearizability (Izraelevitz, Mendes and Scott, "Linearizability of Persistent
 * Memory Objects Under a Full-System-Crash Failure Model", DISC 2016) with a floor. Each era between crashes has an order
 * of its operations; the next era begins with the state after some prefix of it. One cut for each crash, over all keys.
 *
 * The floor, which must stand before the cut: every acknowledgement that said `synced` (of a `sync` too: what had returned
 * before its call stands in front of it), and, when the store promises that nobody sees what a crash takes back, every
 * uniquely valued write that a completed operation of the era saw: a read returned it, or a swap found it and swapped.
 */
import { type HistoryColumns, OUTCOME, SYNCED } from '../history/columns.ts';
import { columnsOf } from '../history/columns-of.ts';
import type { History } from '../history/history.ts';
import { checkShape } from '../history/shape.ts';
import type { Ends } from '../history/ends.ts';
import { DEFAULT_BUDGET, searchPlaces, soundEndsOf, writersOf } from './linearizability.ts';
import type { SearchBudget } from './order-search.ts';
import type { HistoryVerdict } from './verdict.ts';

/** What the store promises. */
export interface DurabilityOptions {
  /** Which acknowledged operations survive: those that said so (the default), or all: a killed process, not a power cut. */
  readonly survives?: 'synced' | 'acknowledged';
  /** What a completed operation saw survives too: the durability mode `commit`. Off by default. */
  readonly readsAreDurable?: boolean;
  readonly budget?: SearchBudget;
}

/** By place: 1 for what must survive the next crash. */
function floorOf(
  columns: HistoryColumns,
  ends: Ends,
  crashes: readonly number[],
  options: DurabilityOptions,
): Uint8Array {
  const { count, outcome, durability, call, cellCount, cellKey, absent } = columns;
  const floor = new Uint8Array(count);
  const writers = writersOf(columns);
  const eraOf = (event: number): number => crashes.filter((crash) => crash < event).length;
  for (let i = 0; i < count; i++) {
    if (outcome[i] !== OUTCOME.ok) continue;
    if (durability[i] === SYNCED || options.survives === 'acknowledged') floor[i] = 1;
    if (options.readsAreDurable !== true) continue;
    for (let c = ends.checkFirst[i]; c < ends.checkFirst[i + 1]; c++) {
      const cell = ends.checkCell[c];
      if (ends.differs[c] === 1 || cell >= cellCount || absent[cellKey[cell]] === cell) continue;
      const writer = writers[cell];
      if (writer >= 0 && writer !== i && eraOf(call[writer]) === eraOf(call[i])) floor[writer] = 1;
    }
  }
  return floor;
}

/**
 * Whether some orders and cuts explain everything that was read, before and after the crashes.
 * @returns `not-durable` with the longest explained prefix; `unknown` past the budget. Without crashes it says what
 *   linearizability says. Exponential in the worst case.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a history that cannot be
 */
export function checkDurability(history: History | HistoryColumns, options: DurabilityOptions = {}): HistoryVerdict {
  const columns = columnsOf(history);
  checkShape(columns);
  const ends = soundEndsOf(columns);
  if ('verdict' in ends) return ends;
  const crashes = columns.markers.filter(({ kind }) => kind === 'crash').map(({ index }) => index);
  const floor = floorOf(columns, ends, crashes, options);
  return searchPlaces(columns, ends, columns.call.keys(), options.budget ?? DEFAULT_BUDGET, crashes, floor);
}
