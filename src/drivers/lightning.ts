/**
 * The reference engine as an engine under test. It works on the files it is given: real ones by default, a simulated disk
 * when the caller brings one.
 */
import { ManualClock } from '../base/clock.ts';
import { type Capabilities, type EngineDriver, type EngineSession, supports } from '../contract/driver.ts';
import { CLOCK_START_MILLISECONDS } from '../contract/limits.ts';
import type { OpenOptions, Operation } from '../contract/operations.ts';
import { errorOutcome, type Outcome } from '../contract/outcomes.ts';
import { openLocation } from '../database/location.ts';
import { type LightningEnvironment, LightningStore } from './lightning-store.ts';

/** What the engine can do; `crash` is for those who bring a disk that can lose its power. */
export const LIGHTNING_CAPABILITIES: Capabilities = {
  orderedScan: true,
  reverseScan: true,
  batch: true,
  deleteRange: true,
  batchDeleteRange: true,
  snapshots: true,
  transactions: ['snapshot'],
  transactionSnapshotAt: 'begin',
  deadlines: true,
  sync: true,
  syncWrites: true,
  reopen: true,
  crash: false,
  flush: true,
  merge: true,
  collect: true,
  acknowledges: 'synced',
  emptyKey: true,
  keyBytesMax: 65_535,
  valueBytesMax: 16 * 1024 * 1024,
};

/** What a session runs on; anything left out is the real thing. The clock is the session's own. */
export type LightningSurroundings = Partial<Omit<LightningEnvironment, 'clock'>>;

/**
 * The driver.
 * @param surround gives what the store in a directory runs on; by default real files. Called once for each opening
 */
export function lightningDriver(surround: (directory: string) => LightningSurroundings = () => ({})): EngineDriver {
  /** The clock of a directory goes on when its store is opened again. */
  const clocks = new Map<string, ManualClock>();
  return {
    name: 'lightning-db',
    version: '0.1.0',
    capabilities: LIGHTNING_CAPABILITIES,
    async open(directory: string, options: OpenOptions): Promise<EngineSession> {
      const clock = clocks.get(directory) ?? new ManualClock(CLOCK_START_MILLISECONDS);
      clocks.set(directory, clock);
      const given = surround(directory);
      const environment = { ...given, vfs: given.vfs ?? openLocation(directory, true), clock };
      return Promise.resolve(new LightningSession(environment, options));
    },
  };
}

class LightningSession implements EngineSession {
  private readonly store: LightningStore;
  private readonly capabilities: Capabilities;

  constructor(environment: LightningEnvironment, options: OpenOptions) {
    this.capabilities = { ...LIGHTNING_CAPABILITIES, crash: environment.cutPower !== undefined };
    this.store = new LightningStore(environment, options);
  }

  async execute(operation: Operation): Promise<Outcome> {
    if (!supports(this.capabilities, operation)) return Promise.resolve(errorOutcome('LIGHTNING_MISSING_CAPABILITY'));
    return Promise.resolve(this.store.execute(operation));
  }

  async close(): Promise<void> {
    return Promise.resolve(this.store.close());
  }
}
