/** Lists of numbers that grow in typed arrays: four bytes an entry, and no object for one. */

/** A list of 32-bit integers. Cost: amortised constant. */
export class GrowingInts {
  /** The room; entries beyond `length` mean nothing. */
  room: Int32Array<ArrayBuffer>;
  length = 0;

  constructor(room = 16) {
    this.room = new Int32Array(room);
  }

  push(value: number): void {
    if (this.length === this.room.length) {
      const larger = new Int32Array(2 * this.length);
      larger.set(this.room);
      this.room = larger;
    }
    this.room[this.length++] = value;
  }

  /** The entries, in the same memory. */
  take(): Int32Array<ArrayBuffer> {
    return this.room.subarray(0, this.length);
  }
}
