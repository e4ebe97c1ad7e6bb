/** Whether every fast path says what trying everything says, on one random history after the other. */
import { Prng } from '../base/prng.ts';
import type { Cell, History, HistoryOperation } from '../history/history.ts';
import { someCutsExplain, someOrderExplains } from './brute-force.fixture.ts';
import { checkDurability } from './durability.ts';
import { checkLinearizability, checkRegisters, searchCells } from './linearizability.ts';
import { searchLinearization } from './models/model-search.ts';
import { randomHistory, type SmallHistory, withRandomRead } from './random-histories.fixture.ts';
import { atomicMap } from './models/sequential-models.ts';
import type { HistoryVerdict } from './verdict.ts';

/** A kind of history, and who judges it. */
interface Family {
  readonly name: string;
  readonly shape: (prng: Prng) => SmallHistory;
  readonly truth: (history: History, shape: SmallHistory) => boolean;
  readonly paths: Readonly<Record<string, (history: History, shape: SmallHistory) => HistoryVerdict>>;
}

const size = (prng: Prng, most: number): { operations: number; clients: number } => ({
  operations: prng.between(2, most),
  clients: prng.between(2, 5),
});
const byBest = (history: History): HistoryVerdict => checkLinearizability(history);
const byModel = (history: History): HistoryVerdict => searchLinearization(history.operations, atomicMap);
const byCells = (history: History): HistoryVerdict => searchCells(history);

const rowsOf = ({ accesses = [] }: HistoryOperation): readonly Cell[] =>
  accesses.flatMap((access) => (access.kind === 'range' ? access.rows : []));

/** A swap that swapped found its expected value there, as a read would have. */
const swappedFrom = ({ swapped, expected = null, writes }: HistoryOperation): readonly Cell[] =>
  swapped === true ? writes.map(({ key }) => ({ key, value: expected })) : [];

/** What must survive, said without the checker's words. */
export function survives(history: History, readsAreDurable: boolean): (operation: HistoryOperation) => boolean {
  const crashes = history.markers.filter(({ kind }) => kind === 'crash').map(({ index }) => index);
  const together = (a: number, b: number): boolean => !crashes.some((at) => at > a !== at > b);
  return (writer) => {
    if (writer.outcome === 'ok' && writer.durability === 'synced') return true;
    // Of a text that lengthens no read says who wrote it.
    if (!readsAreDurable || writer.kind === 'append') return false;
    return history.operations.some(
      (reader) =>
        reader.outcome === 'ok' &&
        reader !== writer &&
        together(reader.call, writer.call) &&
        [...reader.reads, ...rowsOf(reader), ...swappedFrom(reader)].some((seen) =>
          writer.writes.some((w) => w.value !== null && w.key === seen.key && w.value === seen.value),
        ),
    );
  };
}

const FAMILIES: readonly Family[] = [
  {
    name: 'registers',
    shape: (prng) => ({ ...size(prng, 8), keys: 1, deletes: false, multiple: false }),
    truth: someOrderExplains,
    paths: { zones: checkRegisters, cells: byCells, model: byModel },
  },
  {
    name: 'keys with deletions',
    shape: (prng) => ({ ...size(prng, 8), keys: prng.between(1, 3), deletes: true, multiple: false }),
    truth: someOrderExplains,
    paths: { byKey: byBest, cells: byCells, model: byModel },
  },
  {
    name: 'compare-and-swap',
    // Where little is read, a swap that did not find what it expected is often the only one to have seen a write.
    shape: (prng) => ({
      ...size(prng, 7),
      keys: prng.between(1, 2),
      deletes: prng.chance(0.5),
      multiple: false,
      compare: true,
      writeShare: prng.pick([0.5, 0.9]),
    }),
    truth: someOrderExplains,
    paths: { byKey: byBest, cells: byCells },
  },
  {
    name: 'appends',
    shape: (prng) => ({
      ...size(prng, 7),
      keys: prng.between(1, 2),
      deletes: prng.chance(0.5),
      multiple: false,
      compare: prng.chance(0.2),
      append: true,
    }),
    truth: someOrderExplains,
    paths: { byKey: byBest, cells: byCells },
  },
  {
    name: 'batches and scans',
    shape: (prng) => ({ ...size(prng, 7), keys: prng.between(2, 3), deletes: prng.chance(0.5), multiple: true }),
    truth: someOrderExplains,
    paths: { whole: byBest, model: byModel },
  },
  {
    name: 'crashes',
    shape: (prng) => ({
      ...size(prng, 8),
      keys: prng.between(1, 3),
      deletes: prng.chance(0.5),
      multiple: prng.chance(0.5),
      compare: prng.chance(0.2),
      append: prng.chance(0.2),
      crashes: prng.between(1, 3),
      readsAreDurable: prng.chance(0.5),
    }),
    truth: (history, shape) => someCutsExplain(history, survives(history, shape.readsAreDurable === true)),
    paths: {
      durability: (history, shape) => checkDurability(history, { readsAreDurable: shape.readsAreDurable === true }),
    },
  },
];

/** A history of single-key operations made of each operation's parts: legal only when nothing is atomic over keys. */
function apart(history: History): History {
  const operations = history.operations.flatMap((operation) => [
    ...operation.reads.map((cell) => ({ ...operation, reads: [cell], writes: [] })),
    ...operation.writes.map((cell) => ({ ...operation, reads: [], writes: [cell] })),
  ]);
  return { ...history, operations: operations.map((operation, id) => ({ ...operation, id, client: id })) };
}

/** A history as somebody sees it who gets one thing wrong. */
function misread(history: History, change: (operation: HistoryOperation) => HistoryOperation | undefined): History {
  return { ...history, operations: history.operations.flatMap((operation) => change(operation) ?? []) };
}

/** Checkers with a mistake that is easily made; each must differ from the truth within a short run. */
export const MISTAKEN: Readonly<
  Record<string, { readonly family: string; readonly check: (history: History) => HistoryVerdict }>
> = {
  'unknown outcomes never happened': {
    family: 'registers',
    check: (h) => checkRegisters(misread(h, (o) => (o.outcome === 'unknown' ? undefined : o))),
  },
  'rejected writes may have happened': {
    family: 'keys with deletions',
    check: (h) =>
      byCells(misread(h, (o) => (o.outcome === 'failed' ? { ...o, outcome: 'unknown', return: Infinity } : o))),
  },
  'a failed swap says nothing': {
    family: 'compare-and-swap',
    check: (h) => byCells(misread(h, (o) => (o.swapped === false ? undefined : o))),
  },
  'real time is not looked at': {
    family: 'registers',
    check: (h) =>
      byModel(misread(h, (o) => ({ ...o, call: 0, return: o.outcome === 'unknown' ? Infinity : 1000 + o.id }))),
  },
  'key by key in spite of batches': { family: 'batches and scans', check: (h) => checkLinearizability(apart(h)) },
  'rows that a scan did not return may be there': {
    family: 'batches and scans',
    check: (h) => checkLinearizability(misread(h, (o) => ({ ...o, reads: [...o.reads, ...rowsOf(o)], accesses: [] }))),
  },
  'an append replaces what was there': {
    family: 'appends',
    check: (h) => byCells(misread(h, (o) => (o.kind === 'append' ? { ...o, kind: 'write' } : o))),
  },
  'crashes lose nothing': { family: 'crashes', check: byCells },
  'nothing is synced': {
    family: 'crashes',
    check: (h) => checkDurability(misread(h, (o) => ({ ...o, durability: 'volatile' }))),
  },
  'everything acknowledged survives': {
    family: 'crashes',
    check: (h) => checkDurability(h, { survives: 'acknowledged' }),
  },
};

/** What a run of comparisons found. */
export interface Agreement {
  readonly histories: number;
  /** Per family: valid, invalid and how many had an unknown outcome or a crash. */
  readonly counts: Readonly<Record<string, number>>;
  readonly valid: number;
  readonly mutated: number;
  /** The first history on which somebody disagrees, with who and what. */
  readonly difference: string | undefined;
}

/** What to compare with the truth besides nothing at all. */
export interface ComparisonOptions {
  /** One of {@link MISTAKEN} instead of the checkers. */
  readonly mistaken?: string;
}

/** JSON has no infinity: an operation that never returned would look as if it had at none. */
const toldInfinity = (_: string, value: unknown): unknown => (value === Infinity ? 'never' : value);

/** Compares on `count` histories, the families in turn; ends at the first difference. */
export function compareCheckers(seed: number, count: number, options: ComparisonOptions = {}): Agreement {
  const mistaken = options.mistaken === undefined ? undefined : MISTAKEN[options.mistaken];
  const families = FAMILIES.filter(({ name }) => mistaken === undefined || mistaken.family === name);
  const prng = new Prng(seed);
  const counts: Record<string, number> = {};
  const tally = (name: string): void => void (counts[name] = (counts[name] ?? 0) + 1);
  let [valid, mutated] = [0, 0];
  for (let run = 0; run < count; run++) {
    const family = families[run % families.length];
    const shape = family.shape(prng);
    const made = randomHistory(prng, shape);
    let history = made;
    for (let mutations = prng.weighted([3, 4, 3]); mutations > 0; mutations--) history = withRandomRead(prng, history);
    if (history !== made) mutated++;
    const truth = family.truth(history, shape);
    if (truth) valid++;
    tally(`${family.name}: ${truth ? 'valid' : 'invalid'}`);
    if (history.operations.some(({ outcome }) => outcome === 'unknown')) tally(`${family.name}: unknown outcomes`);
    if (history.markers.length > 0) tally(`${family.name}: with a crash`);
    const verdicts = Object.entries(mistaken === undefined ? family.paths : { mistaken: mistaken.check }).map(
      ([name, check]) => [name, check(history, shape).verdict] as const,
    );
    const wrong = verdicts.filter(([, verdict]) => verdict !== (truth ? 'valid' : 'invalid'));
    const madeWrong = history === made && !truth;
    if (wrong.length > 0 || madeWrong) {
      const difference = JSON.stringify({ family: family.name, truth, verdicts, shape, history }, toldInfinity);
      return { histories: run + 1, counts, valid, mutated, difference };
    }
  }
  return { histories: count, counts, valid, mutated, difference: undefined };
}
