/** Whether an engine's outcome is one that the specification gives, by its own comparison of bytes, and what it is if not. */
import type { Operation, OperationKind } from '../../src/contract/operations.ts';
import { describeOutcome, type Outcome, type Row } from '../../src/contract/outcomes.ts';

/** Where the engine and the specification part. */
export interface Mismatch {
  readonly class: 'wrong-read' | 'scan-differs' | 'snapshot-differs' | 'conflict-missed' | 'unexpected-error';
  readonly message: string;
  readonly allowed: readonly Outcome[];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}

function sameRows(a: readonly Row[], b: readonly Row[]): boolean {
  return a.length === b.length && a.every(([key, value], i) => sameBytes(key, b[i][0]) && sameBytes(value, b[i][1]));
}

/** Equal kinds and contents; errors by their code and whether they are definite. */
export function sameResult(expected: Outcome, actual: Outcome): boolean {
  if (expected.kind === 'value') return actual.kind === 'value' && sameBytes(expected.value, actual.value);
  if (expected.kind === 'rows') return actual.kind === 'rows' && sameRows(expected.rows, actual.rows);
  if (expected.kind === 'error') {
    return actual.kind === 'error' && expected.code === actual.code && expected.definite === actual.definite;
  }
  return actual.kind === expected.kind;
}

const CLASS_OF_READ: Partial<Record<OperationKind, Mismatch['class']>> = {
  get: 'wrong-read',
  scan: 'scan-differs',
  snapshotGet: 'snapshot-differs',
  snapshotScan: 'snapshot-differs',
  txGet: 'snapshot-differs',
  txScan: 'snapshot-differs',
};

/** Names a difference and puts it in words. */
export function mismatchOf(operation: Operation, outcome: Outcome, allowed: readonly Outcome[]): Mismatch {
  const missed = operation.kind === 'commit' && allowed[0].kind === 'conflict' && outcome.kind === 'ok';
  const kind = missed ? 'conflict-missed' : (CLASS_OF_READ[operation.kind] ?? 'unexpected-error');
  const wanted = allowed.map(describeOutcome).join(' or ');
  return {
    class: outcome.kind === 'error' ? 'unexpected-error' : kind,
    message: `${operation.kind} returned ${describeOutcome(outcome)} instead of ${wanted}`,
    allowed,
  };
}
