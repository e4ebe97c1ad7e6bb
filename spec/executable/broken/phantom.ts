/** A store that validates the keys that a serializable transaction read, and forgets the ranges. */
import type { Operation } from '../../../src/contract/operations.ts';
import { ABSENT, type Outcome } from '../../../src/contract/outcomes.ts';
import { SpecificationSession } from '../session.ts';

/** A key that nobody ever writes. */
const NOBODYS_KEY = 'ffffffff';

/** Rows that appear in a range after it was read are met by no one. */
export class PhantomSession extends SpecificationSession {
  protected override takeEffect(operation: Operation): Outcome {
    if (operation.kind !== 'txScan') return this.atOnce(operation);
    const [outcome] = this.interpreter.allowed(operation);
    // Takes the snapshot, as any read does, and leaves no range to be looked at.
    this.interpreter.apply({ kind: 'txGet', transaction: operation.transaction, key: NOBODYS_KEY }, ABSENT);
    return outcome;
  }
}
