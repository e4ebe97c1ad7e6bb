/**
 * A sorted key-value store of forty lines. It exists so that the gate can be judged: the sabotages are run against it,
 * because a gate that would pass with a dead checker is worth nothing.
 */

/** One operation on the miniature store. */
export interface MiniatureOperation {
  readonly kind: 'put' | 'delete' | 'scan';
  readonly key: number;
  readonly value: number;
}

/** Keys and values in key order, as flat pairs. */
export class MiniatureStore {
  private readonly keys: number[] = [];
  private readonly values: number[] = [];

  /** Where `key` stands, or would stand. */
  private position(key: number): number {
    let at = 0;
    while (at < this.keys.length && this.keys[at] < key) at++;
    return at;
  }

  /** Applies one operation; a scan returns the pairs from `key` on, at most `value` of them. */
  apply(operation: MiniatureOperation): readonly (readonly [number, number])[] {
    const at = this.position(operation.key);
    const there = this.keys[at] === operation.key;
    if (operation.kind === 'scan') return this.scan(at, operation.value);
    if (operation.kind === 'delete') {
      if (there) this.keys.splice(at, 1);
      if (there) this.values.splice(at, 1);
    } else if (there) {
      this.values[at] = operation.value;
    } else {
      this.keys.splice(at, 0, operation.key);
      this.values.splice(at, 0, operation.value);
    }
    return [];
  }

  private scan(from: number, limit: number): [number, number][] {
    return this.keys.slice(from, from + limit).map((key, index) => [key, this.values[from + index]]);
  }
}
