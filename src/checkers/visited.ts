/**
 * Configurations a search has been to (Lowe, "Testing for Linearizability", 2017): which operations are placed, and the
 * state after them. Their hash is kept incrementally by the caller (Zobrist, 1970: one random number for each element,
 * combined by exclusive or); equal hashes are compared word by word, so that a collision never prunes.
 *
 * A configuration is kept as the words between the first operation that is not placed and the last that is: memory grows
 * with the concurrency and the number of configurations, not with the length of the history.
 */

/** A set of lists of 32-bit numbers in one growing array. */
export class VisitedSet {
  private slots = new Int32Array(128);
  private hashes = new Int32Array(128);
  private words = new Int32Array(512);
  private used = 1;
  private count = 0;
  private readonly wordsMax: number;

  constructor(wordsMax: number) {
    this.wordsMax = wordsMax;
  }

  get size(): number {
    return this.count;
  }

  /** @returns whether it is new, or `full` when there is no room to remember it */
  add(hash: number, list: Int32Array, length: number): 'new' | 'seen' | 'full' {
    let slot = hash & (this.slots.length - 1);
    for (let at = this.slots[slot]; at !== 0; at = this.slots[slot]) {
      if (this.hashes[slot] === hash && this.equals(at, list, length)) return 'seen';
      slot = (slot + 1) & (this.slots.length - 1);
    }
    if (this.used + length + 1 > this.wordsMax) return 'full';
    while (this.used + length + 1 > this.words.length) {
      const larger = new Int32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.slots[slot] = this.used;
    this.hashes[slot] = hash;
    this.words[this.used] = length;
    for (let i = 0; i < length; i++) this.words[this.used + 1 + i] = list[i];
    this.used += length + 1;
    if (++this.count * 2 > this.slots.length) this.grow();
    return 'new';
  }

  private equals(at: number, list: Int32Array, length: number): boolean {
    if (this.words[at] !== length) return false;
    for (let i = 0; i < length; i++) if (this.words[at + 1 + i] !== list[i]) return false;
    return true;
  }

  private grow(): void {
    const [slots, hashes] = [this.slots, this.hashes];
    this.slots = new Int32Array(2 * slots.length);
    this.hashes = new Int32Array(2 * slots.length);
    for (let i = 0; i < slots.length; i++) {
      if (slots[i] === 0) continue;
      let slot = hashes[i] & (this.slots.length - 1);
      while (this.slots[slot] !== 0) slot = (slot + 1) & (this.slots.length - 1);
      this.slots[slot] = slots[i];
      this.hashes[slot] = hashes[i];
    }
  }
}

/** The n-th random number of a stream: the finishing step of MurmurHash3 over a counter (Appleby, public domain). */
export function zobrist(n: number): number {
  let h = Math.imul(n + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
