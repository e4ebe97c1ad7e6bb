/** Binary search, once. */

/**
 * The least index in [0, count) for which `isBefore` says no, where it says yes for all before it and no for all behind;
 * `count` if it never says no. Cost: O(log count) questions.
 */
export function partitionPoint(count: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
