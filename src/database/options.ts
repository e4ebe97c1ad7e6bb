/** Options of a database: those of the engine, and what belongs to the asynchronous face. */
import { LightningError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { EngineOptions, Observer } from '../engine/index.ts';

/** Everything that can be set when a database is opened; all have defaults. */
export interface DatabaseOptions extends EngineOptions {
  /** In durability `interval`: milliseconds between syncs, 1 to 3,600,000. Default 100. */
  readonly syncIntervalMilliseconds: number;
  /** Where time comes from. Default: the wall clock. */
  readonly clock: Clock;
  /** Told of every step of the engine. */
  readonly observe: Observer;
}

/** Splits what is given into the engine's part and the face's. The engine checks its own. */
export function splitOptions(given: Readonly<Partial<DatabaseOptions>>): {
  readonly engine: Partial<EngineOptions>;
  readonly syncIntervalMilliseconds: number;
  readonly clock: Clock | undefined;
  readonly observe: Observer | undefined;
} {
  const { syncIntervalMilliseconds = 100, clock, observe, ...engine } = given;
  const interval = syncIntervalMilliseconds;
  if (!Number.isInteger(interval) || interval < 1 || interval > 3_600_000) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'syncIntervalMilliseconds is from 1 to 3600000', {
      interval,
    });
  }
  return { engine, syncIntervalMilliseconds: interval, clock, observe };
}
