/** What a checker says of a history. Black box: a history in, a verdict out, no knowledge of any engine. */

import type { AnomalyName } from './explain/anomaly.ts';

/** How a history can be wrong. */
export type AnomalyClass =
  AnomalyName | 'not-linearizable' | 'not-durable' | 'rejected-write-visible' | 'bank-total' | 'torn-batch';

/** `valid` with how much was looked at; `invalid` with a witness; `unknown` when a budget ended or the checker does not apply. */
export type HistoryVerdict =
  | { readonly verdict: 'valid'; readonly checked: number }
  | {
      readonly verdict: 'invalid';
      readonly class: AnomalyClass;
      readonly message: string;
      /** Ids of the operations that cannot all be right. */
      readonly witness: readonly number[];
      /** Ids of the longest prefix that an order explains, in that order; of a search. */
      readonly prefix?: readonly number[];
      /** First and last event of the part that no order explains. */
      readonly window?: readonly [number, number];
    }
  | { readonly verdict: 'unknown'; readonly reason: string };

/** The verdict `valid`. */
export function valid(checked: number): HistoryVerdict {
  return { verdict: 'valid', checked };
}

/** The verdict `invalid`. */
export function invalid(kind: AnomalyClass, message: string, witness: readonly number[]): HistoryVerdict {
  return { verdict: 'invalid', class: kind, message, witness };
}

/** The verdict `unknown`. */
export function unknown(reason: string): HistoryVerdict {
  return { verdict: 'unknown', reason };
}
