/** What a search came to as a verdict for people: the operations around the place where it could not go on. */
import type { HistoryColumns } from '../../history/columns.ts';
import type { SearchResult } from '../order-search.ts';
import { type AnomalyClass, type HistoryVerdict, unknown, valid } from '../verdict.ts';

const WITNESS_MAX = 16;

/** @param place the operations of the search, as places in the history */
export function verdictOf(
  result: SearchResult,
  { id, call, return: ends }: HistoryColumns,
  place: Int32Array,
  kind: AnomalyClass,
  checked: number,
): HistoryVerdict {
  if (result.verdict === 'valid') return valid(checked);
  if (result.verdict === 'unknown') return unknown(result.reason);
  const order = result.order.filter((i) => i >= 0).map((i) => place[i]);
  const placed = new Set(order);
  const stuck = result.blocked < 0 ? undefined : place[result.blocked];
  const end = stuck === undefined ? Infinity : ends[stuck];
  const open = Array.from(place).filter((one) => !placed.has(one) && call[one] < end);
  const around = [...order.slice(-WITNESS_MAX / 2), ...open.slice(0, WITNESS_MAX)];
  const witness = [...new Set([...around, ...(stuck === undefined ? [] : [stuck])].map((one) => id[one]))];
  const where = stuck === undefined ? 'what is left fits nowhere' : `operation ${id[stuck]} fits nowhere`;
  return {
    verdict: 'invalid',
    class: kind,
    message: `no order explains all of them: after ${order.length} operations, ${where}`,
    witness,
    prefix: order.map((one) => id[one]),
    window: [
      Math.min(...around.map((one) => call[one])),
      Math.max(...around.map((one) => (ends[one] === Infinity ? call[one] : ends[one]))),
    ],
  };
}
