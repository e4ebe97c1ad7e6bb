/**
 * A set of whole numbers that remembers the order in which they came. A million of them take 24 MB at most; in a `Set`
 * of the language, where each is an object of its own, they take more than a hundred.
 *
 * Invariants:
 *   1. `table` holds 0 or a place in `numbers` plus one, each place once, and at least half of it is 0.
 *   2. From the slot that a number belongs in to the slot that has it, no slot is 0.
 */
import { assert } from '../src/base/assert.ts';

const CAPACITY_MIN = 1024;

export class NumberSet {
  private numbers = new Float64Array(CAPACITY_MIN);
  private table = new Uint32Array(2 * CAPACITY_MIN);
  private count = 0;

  /** How many there are. */
  get size(): number {
    return this.count;
  }

  /** Adds one from 0 to 2^53 − 1; nothing happens when it is there. Constant time on average. */
  add(number: number): void {
    assert(Number.isSafeInteger(number) && number >= 0, 'a number of the set is whole and not negative', number);
    let slot = this.slotOf(number);
    if (this.table[slot] !== 0) return;
    if (this.count === this.numbers.length) {
      this.grow();
      slot = this.slotOf(number);
    }
    this.numbers[this.count] = number;
    this.count++;
    this.table[slot] = this.count;
  }

  /** All of them in the order in which they came; a view, stale with the next that is added. */
  values(): Float64Array {
    return this.numbers.subarray(0, this.count);
  }

  /** The slot that has the number, or the free one that it would go to. */
  private slotOf(number: number): number {
    const mask = this.table.length - 1;
    // Both halves of the 53 bits count; the multiplier is 2^32 divided by the golden ratio (Knuth, volume 3, 6.4).
    const mixed = Math.imul((number % 2 ** 32) ^ (number / 2 ** 32), 0x9e3779b1);
    let slot = (mixed ^ (mixed >>> 15)) & mask;
    while (this.table[slot] !== 0 && this.numbers[this.table[slot] - 1] !== number) slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const numbers = new Float64Array(2 * this.numbers.length);
    numbers.set(this.numbers);
    this.numbers = numbers;
    this.table = new Uint32Array(2 * numbers.length);
    for (let place = 0; place < this.count; place++) this.table[this.slotOf(numbers[place])] = place + 1;
  }
}
