/**
 * Walks the keys of a range at one snapshot, in either direction (rule 2).
 *
 * A scan pins a sequence, not files: when a commit or a structure change has touched the layers since its last step, it
 * builds its cursors anew and seeks to where it was.
 *
 * Invariants
 *   1. Keys come out strictly ascending (descending when reverse), each at most once.
 *   2. `current` is the version visible at (sequence, now) of its key, and a live put.
 */
import { assert, assertionLevel } from '../base/assert.ts';
import { compareSlices } from '../base/bytes.ts';
import { type Cursor, Version } from './cursor.ts';
import { cursorOver, type Layers, tombstonesOver } from './layers.ts';
import { covers, type Memtable } from './memtable.ts';
import { isEmptyRange, type KeyRange } from './range.ts';
import { KIND_DELETE, type RangeTombstone, type Sequence, SEQUENCE_MAX } from './types.ts';

/** Older versions passed one by one before a seek jumps over the rest. */
const SKIP_STEPS_MAX = 8;
const BEFORE_ALL = 0 as Sequence;

/** How a scan is set up. */
export interface ScanSettings {
  /** Versions at or before it are seen; a transaction's own writes stand just above its snapshot. */
  readonly sequence: Sequence;
  readonly now: number;
  readonly reverse: boolean;
  readonly limit: number;
  readonly ownWrites: Memtable | undefined;
  /** Called once, at the end or by `close`. */
  readonly onEnd: (() => void) | undefined;
}

export class Scan {
  private readonly layers: Layers;
  private readonly ownWrites: Memtable | undefined;
  private readonly sequence: Sequence;
  private readonly now: number;
  private readonly range: KeyRange;
  private readonly reverse: boolean;
  private remaining: number;
  private cursor: Cursor | undefined;
  private tombstones: readonly RangeTombstone[] = [];
  private version = -1;
  /** What `next` found. */
  readonly current = new Version();
  private started = false;
  private onEnd: (() => void) | undefined;

  constructor(layers: Layers, range: KeyRange, options: ScanSettings) {
    this.layers = layers;
    this.current.outside = layers;
    this.range = range;
    this.sequence = options.sequence;
    this.now = options.now;
    this.reverse = options.reverse;
    this.ownWrites = options.ownWrites;
    this.onEnd = options.onEnd;
    this.remaining = isEmptyRange(range) ? 0 : options.limit;
  }

  /** Goes to the next key; false at the end, and from then on. Cost: O(log n) to start, then amortised over the rows. */
  next(): boolean {
    if (this.remaining <= 0) {
      this.close();
      return false;
    }
    const before = assertionLevel > 0 && this.started ? this.current.key() : undefined;
    const cursor = this.position();
    const found = this.reverse ? this.backward(cursor) : this.forward(cursor);
    if (!found) {
      this.close();
      return false;
    }
    if (before !== undefined) {
      const order = this.current.compareKey(before);
      assert(this.reverse ? order < 0 : order > 0, 'a scan never repeats or turns back', order);
    }
    this.started = true;
    this.remaining--;
    return true;
  }

  /** Ends the scan early and lets go of its snapshot. Calling it again does nothing. */
  close(): void {
    this.remaining = 0;
    this.cursor = undefined;
    const { onEnd } = this;
    this.onEnd = undefined;
    onEnd?.();
  }

  private position(): Cursor {
    if (this.cursor !== undefined && this.version === this.layers.version) return this.cursor;
    this.layers.checkHealthy();
    this.version = this.layers.version;
    const cursor = cursorOver(this.layers, this.ownWrites);
    this.cursor = cursor;
    this.tombstones = tombstonesOver(this.layers, this.ownWrites, this.sequence);
    if (this.reverse) {
      const end = this.started ? this.current.key() : this.range.end;
      cursor.seekBefore(end, SEQUENCE_MAX);
    } else if (this.started) {
      cursor.seek(this.current.key(), BEFORE_ALL);
    } else {
      cursor.seek(this.range.start, SEQUENCE_MAX);
    }
    return cursor;
  }

  /** The cursor stands on the newest version of a key not looked at, or behind the last one. */
  private forward(cursor: Cursor): boolean {
    const end = this.range.end;
    while (cursor.valid) {
      if (end !== undefined && cursor.compareKey(end) >= 0) return false;
      if (cursor.sequence > this.sequence) this.skipNewer(cursor);
      if (!cursor.valid) return false;
      if (cursor.sequence > this.sequence) continue;
      if (end !== undefined && cursor.compareKey(end) >= 0) return false;
      this.current.assign(cursor);
      this.skipOlder(cursor);
      if (this.isLive()) return true;
    }
    return false;
  }

  /** Steps to the first version of the key at or before the snapshot, or to another key. */
  private skipNewer(cursor: Cursor): void {
    this.current.assign(cursor);
    for (let steps = 0; steps < SKIP_STEPS_MAX; steps++) {
      cursor.next();
      if (!cursor.valid || cursor.sequence <= this.sequence || !this.onCurrentKey(cursor)) return;
    }
    cursor.seek(this.current.key(), this.sequence);
  }

  /** Steps to the next key. */
  private skipOlder(cursor: Cursor): void {
    for (let steps = 0; steps < SKIP_STEPS_MAX; steps++) {
      cursor.next();
      if (!cursor.valid || !this.onCurrentKey(cursor)) return;
    }
    cursor.seek(this.current.key(), BEFORE_ALL);
  }

  /** The cursor stands on the oldest version of a key not looked at, or before the first one. */
  private backward(cursor: Cursor): boolean {
    while (cursor.valid) {
      if (cursor.compareKey(this.range.start) < 0) return false;
      const seen = this.newestVisible(cursor);
      if (seen && this.isLive()) return true;
    }
    return false;
  }

  /** Leaves the newest visible version of the cursor's key in `current`, and the cursor on the key before it. */
  private newestVisible(cursor: Cursor): boolean {
    const candidate = this.current;
    candidate.assign(cursor);
    let seen = cursor.sequence <= this.sequence;
    for (let steps = 0; ; steps++) {
      cursor.previous();
      if (!cursor.valid || !this.onCurrentKey(cursor)) return seen;
      if (cursor.sequence > this.sequence || steps === SKIP_STEPS_MAX) break;
      candidate.assign(cursor);
      seen = true;
    }
    if (cursor.sequence <= this.sequence) {
      // Many versions: find the visible one by a seek of its own.
      cursor.seek(candidate.key(), this.sequence);
      assert(cursor.valid && this.onCurrentKey(cursor), 'a version that was seen is found again');
      candidate.assign(cursor);
      seen = true;
    }
    cursor.seekBefore(candidate.key(), SEQUENCE_MAX);
    return seen;
  }

  private onCurrentKey(cursor: Cursor): boolean {
    const current = this.current;
    return (
      compareSlices(cursor.bytes, cursor.keyStart, cursor.keyEnd, current.bytes, current.keyStart, current.keyEnd) === 0
    );
  }

  /** Whether `current` is a put that has neither expired nor been covered by a newer range tombstone. */
  private isLive(): boolean {
    const { current } = this;
    if (current.kind === KIND_DELETE || current.deadline <= this.now) return false;
    for (const t of this.tombstones) {
      if (t.sequence > current.sequence && covers(t, current.bytes, current.keyStart, current.keyEnd)) return false;
    }
    return true;
  }
}
