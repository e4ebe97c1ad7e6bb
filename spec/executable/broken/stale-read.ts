/** A store that sometimes answers a get from the state before the newest commit, as a cache refilled too late does. */
import type { Operation } from '../../../src/contract/operations.ts';
import { ABSENT, type Outcome } from '../../../src/contract/outcomes.ts';
import { Prng } from '../../../src/base/prng.ts';
import { type Pause, SpecificationSession } from '../session.ts';

/** Remembers the previous answer for each key and gives it again now and then. */
export class StaleReadSession extends SpecificationSession {
  private readonly prng: Prng;
  private readonly probability: number;
  private readonly previous = new Map<string, Outcome>();
  private readonly newest = new Map<string, Outcome>();

  constructor(pause: Pause, seed: number, probability = 0.2) {
    super(pause);
    this.prng = new Prng(seed);
    this.probability = probability;
  }

  protected override takeEffect(operation: Operation): Outcome {
    const outcome = this.atOnce(operation);
    if (operation.kind === 'put' || operation.kind === 'delete') {
      const key = JSON.stringify(operation.key);
      this.previous.set(key, this.newest.get(key) ?? ABSENT);
      this.newest.set(key, this.atOnce({ kind: 'get', key: operation.key }));
    }
    if (operation.kind === 'get' && this.prng.chance(this.probability)) {
      return this.previous.get(JSON.stringify(operation.key)) ?? outcome;
    }
    return outcome;
  }
}
