/** A store that carries out a batch as a loop over its steps, with room for a reader in between. */
import type { Operation } from '../../../src/contract/operations.ts';
import { OK, type Outcome } from '../../../src/contract/outcomes.ts';
import { SpecificationSession } from '../session.ts';

/** Not all or nothing. */
export class FracturedBatchSession extends SpecificationSession {
  protected override async takeEffect(operation: Operation): Promise<Outcome> {
    if (operation.kind !== 'batch') return this.atOnce(operation);
    for (const step of operation.operations) {
      this.atOnce(step);
      await this.pause();
    }
    return OK;
  }
}
