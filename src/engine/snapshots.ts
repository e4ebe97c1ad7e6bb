/**
 * The set L of live snapshots (spec/semantics.md). A snapshot is a sequence and a time; both never decrease from one to
 * the next, so the set is a queue with holes: opening appends, releasing marks, and marks at the front, or when most are
 * marks all of them, are dropped. Opening and releasing are O(1) amortised, the horizon is linear in the distinct live sequences.
 */
import { assert } from '../base/assert.ts';
import type { Sequence } from './types.ts';

/** A frozen view: the versions at or before `sequence`, those expired at `now` left out. */
export interface SnapshotView {
  readonly sequence: Sequence;
  readonly now: number;
}

class Slot implements SnapshotView {
  readonly sequence: Sequence;
  readonly now: number;
  live = true;

  constructor(sequence: Sequence, now: number) {
    this.sequence = sequence;
    this.now = now;
  }
}

export class Snapshots {
  private slots: Slot[] = [];
  private front = 0;
  private live = 0;

  get count(): number {
    return this.live;
  }

  open(sequence: Sequence, now: number): SnapshotView {
    const newest = this.slots.at(-1);
    assert(newest === undefined || newest.sequence <= sequence, 'snapshots open in the order of their sequences');
    assert(newest === undefined || newest.now <= now, 'now never runs backwards', newest?.now, now);
    const slot = new Slot(sequence, now);
    this.slots.push(slot);
    this.live++;
    return slot;
  }

  release(view: SnapshotView): void {
    assert(view instanceof Slot && view.live, 'a snapshot is released once');
    view.live = false;
    this.live--;
    while (this.front < this.slots.length && !this.slots[this.front].live) this.front++;
    // Most are marks: one old snapshot must not keep those of all that came and went since.
    if (this.slots.length > 2 * this.live + 1024) {
      this.slots = this.slots.filter((slot, i) => slot.live || i === this.slots.length - 1);
      this.front = 0;
    }
    // Keep one dead slot as the memory of how far sequence and time have come.
    if (this.live === 0) {
      this.slots = this.slots.slice(-1);
      this.front = this.slots.length;
    }
  }

  /** The oldest live snapshot's sequence, or `published` when there is none. */
  oldest(published: Sequence): Sequence {
    return this.front < this.slots.length ? this.slots[this.front].sequence : published;
  }

  /** The earliest `now` of a live snapshot; `Infinity` when there is none. */
  earliestNow(): number {
    return this.front < this.slots.length ? this.slots[this.front].now : Infinity;
  }

  /** H of rule 4: the live sequences and `published`, ascending, each once. */
  horizon(published: Sequence): Sequence[] {
    const result: Sequence[] = [];
    for (let i = this.front; i < this.slots.length; i++) {
      const slot = this.slots[i];
      if (slot.live && slot.sequence !== result.at(-1)) result.push(slot.sequence);
    }
    if (result.at(-1) !== published) result.push(published);
    assert(result.length < 2 || result[result.length - 2] < published, 'no snapshot is ahead of what is published');
    return result;
  }
}
