/**
 * Several sorted sources as one, in internal order. Where two sources hold the same (key, sequence), the source that
 * was given first comes first.
 *
 * The sources are kept sorted by where they stand; after a step only the one that moved is put back in its place,
 * which is one comparison when a source yields several in a row. (A heap does more comparisons for up to a dozen
 * sources.)
 */
import { assert } from '../base/assert.ts';
import { compareVersions, Cursor } from './cursor.ts';
import type { Sequence } from './types.ts';

export class MergeCursor extends Cursor {
  private readonly sources: readonly Cursor[];
  /** Indexes of valid sources, by position in the direction of travel. */
  private order: number[] = [];
  private forward = true;

  constructor(sources: readonly Cursor[]) {
    super();
    this.sources = sources;
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    for (const source of this.sources) source.seek(key, sequence);
    this.arrange(true);
  }

  override seekBefore(key: Uint8Array | undefined, sequence: Sequence): void {
    for (const source of this.sources) source.seekBefore(key, sequence);
    this.arrange(false);
  }

  override next(): void {
    assert(this.valid && this.forward, 'a merge goes on in the direction it was positioned for');
    this.sources[this.order[0]].next();
    this.settle();
  }

  override previous(): void {
    assert(this.valid && !this.forward, 'a merge goes on in the direction it was positioned for');
    this.sources[this.order[0]].previous();
    this.settle();
  }

  private arrange(forward: boolean): void {
    this.forward = forward;
    this.order = [...this.sources.keys()].filter((i) => this.sources[i].valid);
    this.order.sort((a, b) => this.compare(a, b));
    this.load();
  }

  /** Puts the first source back in its place after it moved. */
  private settle(): void {
    const order = this.order;
    const moved = order[0];
    if (!this.sources[moved].valid) {
      order.shift();
    } else {
      let i = 0;
      while (i + 1 < order.length && this.compare(moved, order[i + 1]) > 0) {
        order[i] = order[i + 1];
        i++;
      }
      order[i] = moved;
    }
    this.load();
  }

  private compare(i: number, j: number): number {
    const a = this.sources[i];
    const b = this.sources[j];
    const c = compareVersions(a, b);
    const ordered = c !== 0 ? c : i - j;
    return this.forward ? ordered : -ordered;
  }

  private load(): void {
    if (this.order.length > 0) this.assign(this.sources[this.order[0]]);
    else this.valid = false;
  }
}
