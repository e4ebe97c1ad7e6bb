/** Bounds of a clear as the operation that the engine takes. */
import { type RangeBounds, toRange, type WriteOperation } from '../engine/index.ts';

/** @throws LightningError for a bound that is not a key */
export function clearOf(bounds: RangeBounds): WriteOperation {
  const { start, end } = toRange(bounds);
  return { type: 'clear', start, end };
}
