/** What a served store is asked by the clock: its health each half minute, every byte on disk each hour. */
import { isLightningError } from '../../base/errors.ts';
import type { Database } from '../database.ts';
import { healthOf } from './admin.ts';

export const HEALTH_MILLISECONDS = 30_000;
export const INTEGRITY_MILLISECONDS = 3_600_000;

/** Calls again and again until what it returned is called. */
export type Every = (milliseconds: number, call: () => void) => () => void;

/** Told of each check. @param fields what was found, for a log */
export type CheckListener = (
  check: 'health' | 'integrity',
  isGood: boolean,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** The timers of the process. */
export const everyByTimer: Every = (milliseconds, call) => {
  const timer = setInterval(call, milliseconds);
  return () => clearInterval(timer);
};

/** Checks until what it returned is called. A check that fails is told as a bad one, and the next comes all the same. */
export function checkByTheClock(database: Database, every: Every, told: CheckListener): () => void {
  const stopHealth = every(HEALTH_MILLISECONDS, () => {
    const found = healthOf(database);
    told('health', found.healthy, { ...found });
  });
  const stopIntegrity = every(INTEGRITY_MILLISECONDS, () => {
    database.verifyIntegrity().then(
      (findings) => told('integrity', findings.length === 0, { findings }),
      (error: unknown) =>
        told(
          'integrity',
          false,
          isLightningError(error) ? { code: error.code, message: error.message } : { error: String(error) },
        ),
    );
  });
  return () => {
    stopHealth();
    stopIntegrity();
  };
}
