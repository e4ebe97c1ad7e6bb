/** A secondary index as people use it. */
import type { ScanOptions } from '../engine/index.ts';
import type { IndexReader, IndexRow, Indexes } from './indexes.ts';
import type { Snapshot } from './snapshot.ts';
import type { Writer } from './writer.ts';

/** What surrounds a view of an index. */
export interface IndexSurroundings {
  /** What it reads; `undefined`: the present. */
  readonly at: IndexReader | undefined;
  readonly present: () => Snapshot;
  readonly writer: Writer;
}

export class IndexView {
  readonly name: string;
  private readonly indexes: Indexes;
  private readonly around: IndexSurroundings;

  constructor(name: string, indexes: Indexes, around: IndexSurroundings) {
    this.name = name;
    this.indexes = indexes;
    this.around = around;
  }

  /**
   * Rows by indexed value, then by key; the options bound the indexed values. In a transaction its own writes of rows
   * do not move them yet: a row that they take from under its value is left out.
   * @throws LightningError `LIGHTNING_NOT_FOUND` for an index that is not declared, `LIGHTNING_CORRUPTION` for an entry
   *   without its row, otherwise as a scan does
   */
  *scanSync(options: ScanOptions = {}): Generator<IndexRow, undefined> {
    const { at } = this.around;
    if (at !== undefined) return yield* this.indexes.scan(this.name, options, at);
    using snapshot = this.around.present();
    return yield* this.indexes.scan(this.name, options, snapshot);
  }

  /** The same with promises. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<IndexRow, undefined> {
    yield* this.scanSync(options);
    return undefined;
  }

  /** What is wrong with the index, in words; empty: nothing. Blocks; linear in rows, memory too. */
  async verify(): Promise<string[]> {
    using snapshot = this.around.present();
    return this.indexes.verify(this.name, snapshot);
  }

  /** Makes the index anew from its rows, a thousand at a time; other writes may come in between. */
  async rebuild(): Promise<void> {
    for (const chunk of this.indexes.rebuilding(this.name)) {
      await this.around.writer.commitComputed(chunk);
    }
  }
}
