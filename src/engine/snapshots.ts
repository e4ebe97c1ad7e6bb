/**
 * The set L of live snapshots (spec/semantics.md). A snapshot is a sequence and a time; both never decrease from one to
 * the next, so a set in the order of opening has the oldest first. Opening, releasing and the oldest are O(1) amortised,
 * the horizon is linear in the live ones.
 */
import { assert } from '../base/assert.ts';
import type { Sequence } from './types.ts';

/** A frozen view: the versions at or before `sequence`, those expired at `now` left out. */
export interface SnapshotView {
  readonly sequence: Sequence;
  readonly now: number;
}

export class Snapshots {
  private readonly live = new Set<SnapshotView>();
  /** Walks the live ones behind `first`. It is kept: to begin again at the front would pass the gaps of all released ones. */
  private rest = this.live.values();
  private first: SnapshotView | undefined;
  private newest: SnapshotView = { sequence: 0 as Sequence, now: -Infinity };

  get count(): number {
    return this.live.size;
  }

  open(sequence: Sequence, now: number): SnapshotView {
    assert(this.newest.sequence <= sequence, 'snapshots open in the order of their sequences');
    assert(this.newest.now <= now, 'now never runs backwards', this.newest.now, now);
    this.newest = { sequence, now };
    this.live.add(this.newest);
    if (this.first === undefined) {
      this.rest = this.live.values();
      this.first = this.rest.next().value;
    }
    return this.newest;
  }

  release(view: SnapshotView): void {
    const released = this.live.delete(view);
    assert(released, 'a snapshot is released once');
    if (view === this.first) this.first = this.rest.next().value;
  }

  /** The oldest live snapshot's sequence, or `published` when there is none. */
  oldest(published: Sequence): Sequence {
    return this.first?.sequence ?? published;
  }

  /** The earliest `now` of a live snapshot; `Infinity` when there is none. */
  earliestNow(): number {
    return this.first?.now ?? Infinity;
  }

  /** H of rule 4: the live sequences and `published`, ascending, each once. */
  horizon(published: Sequence): Sequence[] {
    assert(this.live.size === 0 || this.newest.sequence <= published, 'no snapshot is ahead of what is published');
    return [...new Set([...this.live].map(({ sequence }) => sequence)).add(published)];
  }
}
