/**
 * What a range read says of every key in it: the row that it returned, or that there was none (absent keys are unborn or
 * dead: Adya 1999, section 4.2.2). Keys stand in the order of their names, which is made once, when a range is met.
 */
import type { HistoryColumns } from './columns.ts';

/**
 * Reads ranges over the keys that are wanted.
 * @returns of a range: the key of a row that cannot be (outside, twice, absent, or of a key that is not wanted), or −1. Takes
 *   each wanted key in it with its cell
 */
export function rangeReader(
  { keys, cellKey, absent, ranges }: HistoryColumns,
  isWanted: (key: number) => boolean,
): (range: number, take: (key: number, cell: number) => void) => number {
  let ordered: readonly (readonly [name: string, key: number])[] | undefined;
  return (range, take) => {
    ordered ??= Array.from(absent.keys())
      .filter(isWanted)
      .map((key) => [keys.at(key), key] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const { from, to, rows } = ranges[range];
    const found = new Map<number, number>();
    for (const row of rows) {
      const key = cellKey[row];
      const name = keys.at(key);
      const outside = name < from || (to !== null && name >= to);
      if (outside || found.has(key) || row === absent[key] || !isWanted(key)) return key;
      found.set(key, row);
    }
    for (let i = lowerBound(ordered, from); i < ordered.length; i++) {
      const [name, key] = ordered[i];
      if (to !== null && name >= to) break;
      take(key, found.get(key) ?? absent[key]);
    }
    return -1;
  };
}

function lowerBound(sorted: readonly (readonly [string, number])[], bound: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle][0] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
