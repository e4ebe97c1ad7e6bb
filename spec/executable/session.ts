/**
 * The executable specification behind the contract, as if it were an engine: what the conformance suite, the workloads
 * and the checkers must all find to be right. `pause` is awaited before and after each operation takes effect, so that a
 * simulated schedule can make operations of several clients overlap.
 */
import { type Capabilities, type EngineDriver, type EngineSession, supports } from '../../src/contract/driver.ts';
import type { Operation } from '../../src/contract/operations.ts';
import { errorOutcome, type Outcome } from '../../src/contract/outcomes.ts';
import { Interpreter, REFERENCE_OPTIONS } from './interpreter.ts';

/** Lets others run; the schedule decides who. */
export type Pause = () => Promise<void>;

/** Everything that needs no disk that loses data. */
export const SPECIFICATION_CAPABILITIES: Capabilities = {
  orderedScan: true,
  reverseScan: true,
  batch: true,
  deleteRange: true,
  batchDeleteRange: true,
  snapshots: true,
  transactions: ['snapshot', 'serializable', 'read-committed'],
  transactionSnapshotAt: REFERENCE_OPTIONS.transactionSnapshotAt,
  deadlines: true,
  sync: true,
  syncWrites: true,
  reopen: true,
  crash: false,
  flush: true,
  merge: true,
  collect: true,
  acknowledges: 'volatile',
  emptyKey: true,
  keyBytesMax: REFERENCE_OPTIONS.keyBytesMax,
  valueBytesMax: REFERENCE_OPTIONS.valueBytesMax,
};

/** A session whose every answer is the plainest allowed one. Broken variants override {@link takeEffect}. */
export class SpecificationSession implements EngineSession {
  protected readonly interpreter: Interpreter;
  protected readonly pause: Pause;

  constructor(pause: Pause = () => Promise.resolve(), interpreter: Interpreter = new Interpreter()) {
    this.pause = pause;
    this.interpreter = interpreter;
  }

  async execute(operation: Operation): Promise<Outcome> {
    if (!supports(SPECIFICATION_CAPABILITIES, operation)) return errorOutcome('LIGHTNING_MISSING_CAPABILITY');
    await this.pause();
    const outcome = await this.takeEffect(operation);
    await this.pause();
    return outcome;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The moment at which an operation happens. */
  protected takeEffect(operation: Operation): Outcome | Promise<Outcome> {
    return this.atOnce(operation);
  }

  /** Carries an operation out as the specification says. */
  protected atOnce(operation: Operation): Outcome {
    const [outcome] = this.interpreter.allowed(operation);
    this.interpreter.apply(operation, outcome);
    return outcome;
  }
}

/** The specification as an engine; it keeps what each directory held for as long as the driver lives. */
export function specificationDriver(): EngineDriver {
  const stores = new Map<string, Interpreter>();
  return {
    name: 'executable specification',
    version: '1',
    capabilities: SPECIFICATION_CAPABILITIES,
    open(directory: string): Promise<EngineSession> {
      const interpreter = stores.get(directory) ?? new Interpreter({ acknowledges: 'volatile' });
      stores.set(directory, interpreter);
      return Promise.resolve(new SpecificationSession(undefined, interpreter));
    },
  };
}
