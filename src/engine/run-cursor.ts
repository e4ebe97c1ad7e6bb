/**
 * A position in one sorted run. It holds the block that it stands in, so a step inside a block touches neither cache
 * nor file.
 *
 * Invariants
 *   1. While `valid`, the cursor describes entry `entryNumber` of block `blockNumber`.
 *   2. A failed load leaves it not valid.
 */
import { assert } from '../base/assert.ts';
import { Cursor } from './cursor.ts';
import type { EntryBlock } from './entry-block.ts';
import type { RunIndex } from './run-index.ts';
import type { Sequence } from './types.ts';

/** What a cursor needs of its run. */
export interface RunBlocks {
  readonly index: RunIndex;
  block(number: number, bypassCache: boolean): EntryBlock;
}

export class RunCursor extends Cursor {
  private readonly run: RunBlocks;
  private readonly bypassCache: boolean;
  private entries: EntryBlock | undefined = undefined;
  private blockNumber = -1;
  private entryNumber = 0;

  constructor(run: RunBlocks, bypassCache: boolean) {
    super();
    this.run = run;
    this.bypassCache = bypassCache;
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    // Before the first block's first version (-1), the first block's first version is the answer.
    const block = Math.max(0, this.run.index.search(key, sequence));
    const entries = this.enter(block);
    if (entries === undefined) return;
    const at = entries.search(key, sequence);
    if (at < entries.count) this.stand(entries, at);
    else this.standFirst(block + 1);
  }

  override seekBefore(key: Uint8Array, sequence: Sequence): void {
    const block = this.run.index.search(key, sequence);
    const entries = this.enter(block);
    if (entries === undefined) return;
    const at = entries.search(key, sequence);
    if (at > 0) this.stand(entries, at - 1);
    else this.standLast(block - 1);
  }

  override first(): void {
    this.standFirst(0);
  }

  override last(): void {
    this.standLast(this.run.index.count - 1);
  }

  override next(): void {
    assert(this.valid && this.entries !== undefined, 'a step is from a valid position');
    if (this.entryNumber + 1 < this.entries.count) this.stand(this.entries, this.entryNumber + 1);
    else this.standFirst(this.blockNumber + 1);
  }

  override previous(): void {
    assert(this.valid && this.entries !== undefined, 'a step is from a valid position');
    if (this.entryNumber > 0) this.stand(this.entries, this.entryNumber - 1);
    else this.standLast(this.blockNumber - 1);
  }

  private standFirst(block: number): void {
    const entries = this.enter(block);
    if (entries !== undefined) this.stand(entries, 0);
  }

  private standLast(block: number): void {
    const entries = this.enter(block);
    if (entries !== undefined) this.stand(entries, entries.count - 1);
  }

  /** Loads a block; past either end of the run there is none, and the cursor is not valid. */
  private enter(block: number): EntryBlock | undefined {
    this.valid = false;
    if (block < 0 || block >= this.run.index.count) return undefined;
    if (block === this.blockNumber && this.entries !== undefined) return this.entries;
    // Forgotten first: a load that throws must not leave the old block under the new number.
    this.entries = undefined;
    this.blockNumber = block;
    this.entries = this.run.block(block, this.bypassCache);
    return this.entries;
  }

  private stand(entries: EntryBlock, at: number): void {
    this.entryNumber = at;
    entries.load(at, this);
  }
}
