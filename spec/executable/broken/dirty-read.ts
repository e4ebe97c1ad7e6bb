/** A store that shows what transactions have written before they commit, and keeps showing it after they abort. */
import type { Operation } from '../../../src/contract/operations.ts';
import type { Outcome } from '../../../src/contract/outcomes.ts';
import { SpecificationSession } from '../session.ts';

/** Writes of transactions reach everybody at once. */
export class DirtyReadSession extends SpecificationSession {
  protected override takeEffect(operation: Operation): Outcome {
    const outcome = this.atOnce(operation);
    if (outcome.kind !== 'ok') return outcome;
    if (operation.kind === 'txPut') this.atOnce({ kind: 'put', key: operation.key, value: operation.value });
    if (operation.kind === 'txDelete') this.atOnce({ kind: 'delete', key: operation.key });
    if (operation.kind === 'txClear') this.atOnce({ kind: 'clear', range: operation.range });
    return outcome;
  }
}
