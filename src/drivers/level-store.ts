/**
 * The calls of abstract-level that the Level drivers use, and a {@link PlainStore} over them. The engine itself is
 * imported by the driver of each.
 */
import type { Row } from '../contract/outcomes.ts';
import type { Interval } from './interval.ts';
import type { PlainScan, PlainStep, PlainStore } from './plain-session.ts';

/** A snapshot of abstract-level 3. */
export interface LevelSnapshot {
  close(): Promise<void>;
}

type LevelOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

interface LevelRange {
  gte?: Uint8Array;
  lt?: Uint8Array;
  reverse?: boolean;
  limit?: number;
  snapshot?: LevelSnapshot;
}

/** The part of abstract-level 3 that is used; keys and values are byte arrays (`view`). */
export interface LevelDatabase {
  open(): Promise<void>;
  close(): Promise<void>;
  get(key: Uint8Array, options: { snapshot?: LevelSnapshot }): Promise<Uint8Array | undefined>;
  put(key: Uint8Array, value: Uint8Array, options: { sync?: boolean }): Promise<void>;
  del(key: Uint8Array, options: { sync?: boolean }): Promise<void>;
  batch(operations: LevelOperation[], options: { sync?: boolean }): Promise<void>;
  clear(range: LevelRange): Promise<void>;
  iterator(range: LevelRange): AsyncIterable<[Uint8Array, Uint8Array]>;
  snapshot(): LevelSnapshot;
  /** classic-level only. */
  compactRange?(start: Uint8Array, end: Uint8Array): Promise<void>;
}

const LAST_KEY = new Uint8Array(32).fill(0xff);

function levelRange(interval: Interval): LevelRange {
  return { gte: interval.low, ...(interval.high === undefined ? {} : { lt: interval.high }) };
}

/** A Level database as a plain store. One step is a plain put or delete, several are a batch. */
export class LevelStore implements PlainStore<LevelSnapshot> {
  private readonly database: LevelDatabase;

  constructor(database: LevelDatabase) {
    this.database = database;
  }

  get(key: Uint8Array, snapshot: LevelSnapshot | undefined): Promise<Uint8Array | undefined> {
    return this.database.get(key, snapshot === undefined ? {} : { snapshot });
  }

  async scan(scan: PlainScan, snapshot: LevelSnapshot | undefined): Promise<readonly Row[]> {
    const rows: Row[] = [];
    const range = { ...levelRange(scan.interval), reverse: scan.reverse, limit: scan.limit };
    for await (const [key, value] of this.database.iterator(snapshot === undefined ? range : { ...range, snapshot })) {
      rows.push([key, value]);
    }
    return rows;
  }

  async write(steps: readonly PlainStep[], sync: boolean): Promise<void> {
    const options = sync ? { sync } : {};
    if (steps.length === 1) {
      const [step] = steps;
      if (step.kind === 'put') return this.database.put(step.key, step.value, options);
      if (step.kind === 'delete') return this.database.del(step.key, options);
      return this.database.clear(levelRange(step.interval));
    }
    const operations = steps.flatMap((step): LevelOperation[] => {
      if (step.kind === 'put') return [{ type: 'put', key: step.key, value: step.value }];
      return step.kind === 'delete' ? [{ type: 'del', key: step.key }] : [];
    });
    return this.database.batch(operations, options);
  }

  openSnapshot(): LevelSnapshot {
    return this.database.snapshot();
  }

  releaseSnapshot(snapshot: LevelSnapshot): Promise<void> {
    return snapshot.close();
  }

  async merge(): Promise<void> {
    await this.database.compactRange?.(new Uint8Array([0]), LAST_KEY);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}
