/** A store that calls its transactions serializable and looks at what they wrote alone. */
import type { Operation } from '../../../src/contract/operations.ts';
import type { Outcome } from '../../../src/contract/outcomes.ts';
import { SpecificationSession } from '../session.ts';

/** Snapshot isolation under another name: two may each rest on what the other changes. */
export class WriteSkewSession extends SpecificationSession {
  protected override takeEffect(operation: Operation): Outcome {
    return this.atOnce(operation.kind === 'begin' ? { ...operation, isolation: 'snapshot' } : operation);
  }
}
