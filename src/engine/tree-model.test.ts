/**
 * The tree against a plain list: random batches of versions, deletions, deadlines, range tombstones and horizons. The
 * list keeps everything for ever and answers by rule 2 alone; what a merge has to keep is worked out here by rules 5 and
 * 6, word for word, without the engine's retention code.
 */
import { expect, test } from 'vitest';
import { situationsReached } from '../base/assert.ts';
import { compareBytes, toHex } from '../base/bytes.ts';
import { Prng } from '../base/prng.ts';
import { Version } from './cursor.ts';
import { Retention } from './retention.ts';
import { mergeTree } from './tree-merge.ts';
import { compareRows, type Row, rowOf, TreeStore } from './tree-test-kit.ts';
import { asSequence, KIND_DELETE, KIND_PUT, NO_DEADLINE, type RangeTombstone, type Sequence } from './types.ts';

const covers = (t: RangeTombstone, key: Uint8Array): boolean =>
  compareBytes(t.start, key) <= 0 && (t.end === undefined || compareBytes(key, t.end) < 0);

/** Rule 2, over everything that was ever written. */
function read(rows: readonly Row[], ranges: readonly RangeTombstone[], key: Uint8Array, at: number, now: number) {
  let best: Row | undefined;
  for (const row of rows) {
    if (compareBytes(row.key, key) === 0 && row.sequence <= at && row.sequence > (best?.sequence ?? -1)) best = row;
  }
  if (best === undefined || best.kind === KIND_DELETE || best.deadline <= now) return undefined;
  const found = best;
  return ranges.some((t) => t.sequence <= at && t.sequence > found.sequence && covers(t, key)) ? undefined : found;
}

const name = (row: Row): string => [toHex(row.key), row.sequence, row.kind, row.deadline, toHex(row.value)].join(' ');

/** Rules 5 and 6, over the versions that went into one merge. */
function keptByRules(
  rows: readonly Row[],
  ranges: readonly RangeTombstone[],
  horizon: readonly number[],
  time: number,
) {
  const byKey = new Map<string, Row[]>();
  for (const row of rows) byKey.set(toHex(row.key), [...(byKey.get(toHex(row.key)) ?? []), row]);
  const kept: Row[] = [];
  for (const own of byKey.values()) {
    const oldest = Math.min(...own.map((row) => row.sequence));
    const all = [...own];
    for (const t of ranges) {
      const isNew = t.sequence > oldest && !all.some((row) => row.sequence === t.sequence);
      if (isNew && covers(t, own[0].key)) {
        all.push({
          ...own[0],
          sequence: t.sequence,
          kind: KIND_DELETE,
          deadline: NO_DEADLINE,
          value: new Uint8Array(0),
        });
      }
    }
    all.sort(compareRows);
    all.forEach((row, i) => {
      const isRead = horizon.some((h) => row.sequence <= h && (i === 0 || h < all[i - 1].sequence));
      const isGone = (row.kind === KIND_DELETE || row.deadline <= time) && row.sequence <= horizon[0];
      if (isRead && !isGone) kept.push(row);
    });
  }
  return kept.sort(compareRows);
}

interface Shape {
  readonly blockSizeBytes: number;
  readonly nodeTargetBytes: number;
  readonly keyCount: number;
  readonly longKeys: boolean;
  readonly bigValues: boolean;
}

class Run {
  readonly random: Prng;
  readonly store: TreeStore;
  readonly shape: Shape;
  readonly history: Row[] = [];
  readonly ranges: RangeTombstone[] = [];
  readonly keys: Uint8Array[] = [];
  snapshots: number[] = [];
  published = 0;
  time = 0;

  constructor(seed: number) {
    this.random = new Prng(seed);
    const { random } = this;
    const blockSizeBytes = random.pick([512, 512, 1024]);
    this.shape = {
      blockSizeBytes,
      nodeTargetBytes: blockSizeBytes * random.pick([1, 1, 2]),
      keyCount: random.pick([3, 40, 250, 900]),
      longKeys: random.chance(0.4),
      bigValues: random.chance(0.4),
    };
    this.store = new TreeStore(blockSizeBytes, this.shape.nodeTargetBytes);
    for (let i = 0; i < this.shape.keyCount; i++) {
      const length = this.shape.longKeys && random.chance(0.15) ? random.between(60, 900) : random.below(12);
      const key = new Uint8Array(length).map(() => random.pick([0, 1, 0x7f, 0x80, 0xff]));
      if (!this.keys.some((other) => compareBytes(other, key) === 0)) this.keys.push(key);
    }
    this.keys.sort(compareBytes);
  }

  batch(): { rows: Row[]; ranges: RangeTombstone[] } {
    const { random } = this;
    const rows = new Map<string, Row>();
    const ranges: RangeTombstone[] = [];
    const deleteShare = random.pick([0, 0.2, 0.5, 1]);
    const low = random.below(this.keys.length);
    const high = random.chance(0.5)
      ? this.keys.length - 1
      : Math.min(this.keys.length - 1, low + random.pick([0, 10, 100]));
    for (let commits = random.pick([0, 1, 5, 60, this.keys.length]); commits > 0; commits--) {
      const sequence = asSequence(++this.published);
      for (let writes = random.between(1, 3); writes > 0; writes--) {
        const key = this.keys[random.between(Math.min(low, high), high)];
        const kind = random.chance(deleteShare) ? KIND_DELETE : KIND_PUT;
        const big = this.shape.bigValues && random.chance(0.1);
        rows.set(`${toHex(key)}@${sequence}`, {
          key,
          sequence,
          kind,
          deadline: kind === KIND_PUT && random.chance(0.15) ? this.time + random.between(-5, 30) : NO_DEADLINE,
          value:
            kind === KIND_PUT ? random.bytes(big ? random.between(200, 1500) : random.below(40)) : new Uint8Array(0),
        });
      }
      if (random.chance(0.04)) {
        const [a, b] = [random.pick(this.keys), random.pick(this.keys)].sort(compareBytes);
        ranges.push({ start: a, end: random.chance(0.1) ? undefined : b, sequence });
      }
    }
    return { rows: [...rows.values()].sort(compareRows), ranges };
  }

  step(): void {
    const { random, store } = this;
    if (random.chance(0.3)) this.snapshots.push(this.published);
    const { rows, ranges } = this.batch();
    this.history.push(...rows);
    this.ranges.push(...ranges);
    while (this.snapshots.length > 0 && random.chance(0.3))
      this.snapshots.splice(random.below(this.snapshots.length), 1);
    if (random.chance(0.3)) this.time += random.below(20);
    const horizon = [...new Set([...this.snapshots, this.published])].sort((a, b) => a - b);
    const retention = new Retention(horizon.map(asSequence), this.time);
    const before = store.rows();
    if (random.chance(0.2)) this.abandon(rows, ranges, retention, before);
    store.merge(rows, ranges, retention);
    const after = store.rows();
    // Nothing is left to collect at the same horizon, or collecting would never come to an end.
    expect(store.root?.reference.leastDroppable ?? Infinity).toBeGreaterThan(horizon[0]);
    this.compareContent([...before, ...rows], ranges, horizon, after);
    this.compareReads(horizon);
    this.compareCursor(after);
    const clean = random.chance(0.3);
    if (clean) store.close();
    const report = store.check(clean);
    expect(report.findings).toEqual([]);
    expect(report.entries).toBe(after.length);
  }

  /** A build that is dropped half way leaves the old tree as it was. */
  abandon(rows: readonly Row[], ranges: readonly RangeTombstone[], retention: Retention, before: readonly Row[]): void {
    const work = mergeTree(this.store.input(rows, ranges, retention));
    for (let steps = this.random.below(3); steps >= 0; steps--) if (work.next().done === true) break;
    expect(this.store.check().findings).toEqual([]);
    expect(this.store.rows().map(name)).toEqual(before.map(name));
  }

  compareContent(offered: Row[], ranges: RangeTombstone[], horizon: number[], after: Row[]): void {
    const kept = keptByRules(offered, ranges, horizon, this.time);
    const present = new Set(after.map(name));
    for (const row of kept) if (!present.has(name(row))) expect.fail(`lost: ${name(row)}`);
    const allowed = new Set([...offered, ...kept].map(name));
    for (const row of after) if (!allowed.has(name(row))) expect.fail(`invented: ${name(row)}`);
    after.forEach((row, i) => {
      const isNewest = i === 0 || compareBytes(after[i - 1].key, row.key) !== 0;
      const isGone = (row.kind === KIND_DELETE || row.deadline <= this.time) && row.sequence <= horizon[0];
      if (isGone || (!isNewest && after[i - 1].sequence <= horizon[0])) expect.fail(`not collected: ${name(row)}`);
    });
    // Rule 7: what a conflict check sees is the same before and after.
    const newest = (rows: readonly Row[]) => {
      const found = new Map<string, number>();
      for (const row of rows) found.set(toHex(row.key), Math.max(found.get(toHex(row.key)) ?? 0, row.sequence));
      return found;
    };
    const [was, is] = [newest(offered), newest(after)];
    for (const [key, sequence] of was)
      if (sequence > horizon[0]) expect(is.get(key) ?? 0).toBeGreaterThanOrEqual(sequence);
  }

  compareReads(horizon: readonly number[]): void {
    const { store, random } = this;
    const version = new Version();
    const keys = this.keys.length > 300 ? random.shuffle([...this.keys]).slice(0, 40) : this.keys;
    for (const key of [...keys, random.bytes(3)]) {
      for (const at of [...horizon, this.published + 10]) {
        const expected = read(this.history, this.ranges, key, at, this.time);
        const found = store.reader.get(key, asSequence(at), version);
        const live = found && version.kind === KIND_PUT && version.deadline > this.time;
        if (live !== (expected !== undefined)) expect.fail(`${toHex(key)} at ${at}: ${live}, not ${!live}`);
        if (expected !== undefined) {
          expect([version.sequence, toHex(version.value())]).toEqual([expected.sequence, toHex(expected.value)]);
        }
      }
    }
  }

  compareCursor(after: readonly Row[]): void {
    const { store, random } = this;
    const cursor = store.reader.cursor();
    const names = after.map(name);
    const backward: string[] = [];
    for (cursor.last(); cursor.valid; cursor.previous()) backward.push(name(rowOf(cursor)));
    expect(backward.reverse()).toEqual(names);
    for (let i = 0; i < 30; i++) {
      const key = random.chance(0.8) ? random.pick(this.keys) : random.bytes(2);
      const sequence = asSequence(random.below(this.published + 2)) as Sequence;
      const target = { key, sequence } as Row;
      let at = after.findIndex((row) => compareRows(row, target) >= 0);
      if (at < 0) at = after.length;
      if (random.chance(0.5)) {
        cursor.seek(key, sequence);
      } else {
        cursor.seekBefore(key, sequence);
        at--;
      }
      for (let moves = random.below(6); ; moves--) {
        const expected = names[at] as string | undefined;
        expect(cursor.valid ? name(rowOf(cursor)) : undefined).toBe(expected);
        if (expected === undefined || moves === 0) break;
        if (random.chance(0.5)) {
          cursor.next();
          at++;
        } else {
          cursor.previous();
          at--;
        }
      }
    }
  }

  /** Deletes everything and collects. */
  empty(): void {
    const { store } = this;
    const sequence = asSequence(++this.published);
    store.merge([], [{ start: new Uint8Array(0), end: undefined, sequence }], new Retention([sequence], this.time));
    expect(store.root).toBe(undefined);
    // The header and the footer.
    expect(store.map.usedCount).toBe(2);
    store.close();
    expect(store.check(true).findings).toEqual([]);
    expect(store.file.size()).toBe(store.map.blockCount * this.shape.blockSizeBytes);
  }
}

const RUNS = Number(process.env['LIGHTNING_TREE_RUNS'] ?? 60);
const FIRST_SEED = Number(process.env['LIGHTNING_TREE_SEED'] ?? 1);

test('merges keep what the rules keep, and every reader sees what was written', () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const run = new Run(seed);
    try {
      for (let i = 0; i < 12; i++) run.step();
      run.empty();
    } catch (error) {
      throw new Error(`seed ${seed}, LIGHTNING_TREE_SEED=${seed} LIGHTNING_TREE_RUNS=1`, { cause: error });
    }
  }
  // Replaying a few seeds need not reach everything.
  if (RUNS < 60) return;
  const reached = situationsReached();
  for (const situation of [
    'leaf split',
    'leaves merged',
    'branches merged',
    'branch split',
    'subtree kept',
    'root grown',
    'root collapsed',
    'tree emptied',
    'a key straddles leaves',
    'leaf larger than its target',
    'range tombstone became a deletion',
  ]) {
    expect([situation, reached.has(situation)]).toEqual([situation, true]);
  }
});
