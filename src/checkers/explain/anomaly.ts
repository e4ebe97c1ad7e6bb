/** What went wrong, by its name in the literature, with its cycle. Names: spec/isolation.md. */
import type { CheckedLevel } from '../isolation/levels.ts';

/** The literature's name of what went wrong. */
export type AnomalyName =
  | 'G0'
  | 'G1a'
  | 'G1b'
  | 'G1c'
  | 'lost-update'
  | 'G-single'
  | 'long-fork'
  | 'G2-item'
  | 'G2'
  | 'monotonic-reads'
  | 'read-your-writes'
  | 'real-time'
  | 'internal'
  | 'wrong-read'
  | 'incompatible-order'
  | 'no-order';

/** How one transaction must come before another. `time`: it had returned before the other was called. */
export type DependencyKind = 'ww' | 'wr' | 'rw' | 'time';

/** One arrow of a cycle. */
export interface Dependency {
  /** Ids of transactions. */
  readonly from: number;
  readonly to: number;
  readonly kind: DependencyKind;
  /** Found by a range read (rw only). */
  readonly predicate: boolean;
  /** Both are of one client (time only). */
  readonly session: boolean;
  readonly key: string;
  /** ww and rw: the value written by `to`; wr: the value read. */
  readonly value: string | null;
}

/** A reason why a level does not hold. */
export interface Anomaly {
  readonly name: AnomalyName;
  /** In English. */
  readonly message: string;
  /** Ids of the transactions that cannot all be right. */
  readonly transactions: readonly number[];
  /** The cycle; empty for an anomaly without one. */
  readonly cycle: readonly Dependency[];
  /** The weakest level that it refutes. */
  readonly refutes: CheckedLevel;
}
