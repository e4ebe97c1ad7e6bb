/**
 * Looks at a whole store at once: every key by a point read, both scans, bounded scans, every live snapshot and
 * transaction, all against the executable specification (and so against each other); then memory, disk and pages.
 * Reads only: neither the store nor the specification moves on.
 */
import { isLightningError } from '../src/base/errors.ts';
import type { BytesText } from '../src/contract/bytes-text.ts';
import type { Operation, ScanRange } from '../src/contract/operations.ts';
import type { LightningStore } from '../src/drivers/lightning-store.ts';
import { verifyStore } from '../src/database/verify/verify-store.ts';
import type { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Interpreter } from '../spec/executable/interpreter.ts';
import { mismatchOf, sameResult } from '../spec/executable/same-result.ts';
import { accountPages } from './page-accounting.ts';

/** What is wrong, by its failure class. */
export interface Objection {
  readonly class: string;
  readonly message: string;
}

/** What a check looks at. */
export interface CheckedStore {
  readonly store: LightningStore;
  readonly oracle: Interpreter;
  readonly disk: SimulatedDisk;
  /** Every key that the program names. */
  readonly keys: readonly BytesText[];
  readonly snapshots: ReadonlySet<number>;
  readonly transactions: ReadonlySet<number>;
}

/** Keys that each snapshot and transaction is asked for one by one; its scans show the rest. */
const VIEW_KEYS_MAX = 10;

/** Asks store and specification the same; nothing is remembered of it. */
function objectionTo(checked: CheckedStore, operation: Operation): Objection | undefined {
  const outcome = checked.store.execute(operation);
  const allowed = checked.oracle.allowed(operation);
  if (allowed.some((one) => sameResult(one, outcome))) return undefined;
  return mismatchOf(operation, outcome, allowed);
}

function* boundedRanges(keys: readonly BytesText[], turn: number): Generator<ScanRange> {
  if (keys.length === 0) return;
  const a = keys[turn % keys.length];
  const b = keys[(turn * 7 + 1) % keys.length];
  yield { gte: a, limit: 2 };
  yield { lte: a, limit: 2, reverse: true };
  yield { gt: a, lte: b };
  yield { gte: b, lt: a, reverse: true };
}

function* readsOf(checked: CheckedStore, turn: number): Generator<Operation> {
  const { keys, snapshots, transactions } = checked;
  for (const key of keys) yield { kind: 'get', key };
  yield { kind: 'scan', range: {} };
  yield { kind: 'scan', range: { reverse: true } };
  for (const range of boundedRanges(keys, turn)) yield { kind: 'scan', range };
  const some = Array.from({ length: Math.min(VIEW_KEYS_MAX, keys.length) }, (_, i) => keys[(turn + i) % keys.length]);
  for (const snapshot of snapshots) {
    yield { kind: 'snapshotScan', snapshot, range: {} };
    yield { kind: 'snapshotScan', snapshot, range: { reverse: true } };
    for (const key of some) yield { kind: 'snapshotGet', snapshot, key };
  }
  for (const transaction of transactions) {
    yield { kind: 'txScan', transaction, range: {} };
    yield { kind: 'txScan', transaction, range: { reverse: true } };
    for (const key of some) yield { kind: 'txGet', transaction, key };
  }
}

/**
 * Cross-checks all reads.
 * @param turn which bounds are tried this time
 * @param asked called with the number of reads
 */
export function checkReads(checked: CheckedStore, turn: number, asked: (count: number) => void): Objection | undefined {
  let count = 0;
  let objection: Objection | undefined;
  for (const operation of readsOf(checked, turn)) {
    count++;
    objection = objectionTo(checked, operation);
    if (objection !== undefined) break;
  }
  asked(count);
  return objection;
}

/** The invariants over memory. */
export function checkMemory(checked: CheckedStore): Objection | undefined {
  try {
    checked.store.engine.checkInvariants();
    return undefined;
  } catch (error) {
    if (!isLightningError(error)) throw error;
    return { class: 'integrity-problem', message: `checkInvariants: ${error.message}` };
  }
}

/** Pages and every byte on disk. @param isOpen whether the store is open; if not it was closed cleanly */
export function checkDisk(checked: CheckedStore, isOpen: boolean): Objection | undefined {
  try {
    const free = isOpen ? checked.store.engine.statistics().treeBlocksFree : undefined;
    const { problem } = accountPages(checked.disk, free);
    if (problem !== undefined) return { class: 'page-accounting', message: problem };
    const [finding] = verifyStore(checked.disk, { isOpen }).findings;
    if (finding === undefined) return undefined;
    const place = finding.offset === undefined ? finding.file : `${finding.file} at ${finding.offset}`;
    return { class: 'integrity-problem', message: `${place}: ${finding.problem}` };
  } catch (error) {
    if (!isLightningError(error)) throw error;
    return { class: 'integrity-problem', message: error.message };
  }
}
