/** A store whose transactions commit without looking whether somebody was faster. */
import type { Operation } from '../../../src/contract/operations.ts';
import { OK, type Outcome } from '../../../src/contract/outcomes.ts';
import { SpecificationSession } from '../session.ts';

/** Never a conflict: the last committer wins. */
export class LostUpdateSession extends SpecificationSession {
  protected override takeEffect(operation: Operation): Outcome {
    if (operation.kind !== 'commit') return this.atOnce(operation);
    const [outcome] = this.interpreter.allowed(operation);
    const answer = outcome.kind === 'conflict' ? OK : outcome;
    this.interpreter.apply(operation, answer);
    return answer;
  }
}
