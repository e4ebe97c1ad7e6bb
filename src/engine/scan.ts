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
  private readonly range: KeyRange;
  private readonly settings: ScanSettings;
  private remaining: number;
  private cursor: Cursor | undefined;
  private tombstones: readonly RangeTombstone[] = [];
  private version = -1;
  /** What `next` found. */
  readonly current = new Version();
  private started = false;
  private onEnd: (() => void) | undefined;

  constructor(layers: Layers, range: KeyRange, settings: ScanSettings) {
    this.layers = layers;
    this.current.outside = layers;
    this.range = range;
    this.settings = settings;
    this.onEnd = settings.onEnd;
    this.remaining = isEmptyRange(range) ? 0 : settings.limit;
  }

  /** Goes to the next key; false at the end, and from then on. Cost: O(log n) to start, then amortised over the rows. */
  next(): boolean {
    if (this.remaining <= 0) {
      this.close();
      return false;
    }
    const before = assertionLevel > 0 && this.started ? this.current.key() : undefined;
    if (!this.advance(this.position())) {
      this.close();
      return false;
    }
    if (before !== undefined) {
      const order = this.current.compareKey(before);
      assert(this.settings.reverse ? order < 0 : order > 0, 'a scan never repeats or turns back', order);
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
    const cursor = cursorOver(this.layers, this.settings.ownWrites);
    this.cursor = cursor;
    this.tombstones = tombstonesOver(this.layers, this.settings.ownWrites, this.settings.sequence);
    if (this.settings.reverse) {
      const end = this.started ? this.current.key() : this.range.end;
      cursor.seekBefore(end, SEQUENCE_MAX);
    } else if (this.started) {
      cursor.seek(this.current.key(), BEFORE_ALL);
    } else {
      cursor.seek(this.range.start, SEQUENCE_MAX);
    }
    return cursor;
  }

  /** The cursor stands on a version of a key not looked at, the first in the direction of travel, or behind all. */
  private advance(cursor: Cursor): boolean {
    while (cursor.valid && this.isInRange(cursor)) if (this.takeKey(cursor) && this.isLive()) return true;
    return false;
  }

  private isInRange(cursor: Cursor): boolean {
    const { start, end } = this.range;
    if (this.settings.reverse) return cursor.compareKey(start) >= 0;
    return end === undefined || cursor.compareKey(end) < 0;
  }

  /**
   * Leaves the newest visible version of the cursor's key in `current`, and the cursor on the next key.
   * @returns whether there is such a version
   */
  private takeKey(cursor: Cursor): boolean {
    const { current } = this;
    const { reverse, sequence } = this.settings;
    current.assign(cursor);
    let isSeen = cursor.sequence <= sequence;
    for (let steps = 0; steps < SKIP_STEPS_MAX; steps++) {
      if (reverse) cursor.previous();
      else cursor.next();
      if (!cursor.valid || !this.onCurrentKey(cursor)) return isSeen;
      // Backwards, each visible version is newer than the one before.
      if (cursor.sequence > sequence || (isSeen && !reverse)) continue;
      current.assign(cursor);
      isSeen = true;
    }
    // Many versions: seeks jump over the rest.
    if (reverse || !isSeen) {
      cursor.seek(current.key(), sequence);
      if (cursor.valid && this.onCurrentKey(cursor)) {
        current.assign(cursor);
        isSeen = true;
      }
    }
    if (reverse) cursor.seekBefore(current.key(), SEQUENCE_MAX);
    else cursor.seek(current.key(), BEFORE_ALL);
    return isSeen;
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
    if (current.kind === KIND_DELETE || current.deadline <= this.settings.now) return false;
    for (const t of this.tombstones) {
      if (t.sequence > current.sequence && covers(t, current.bytes, current.keyStart, current.keyEnd)) return false;
    }
    return true;
  }
}
