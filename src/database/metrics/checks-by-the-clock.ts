/** What a served store is asked by the clock: its health each half minute, every byte on disk each hour, a backup each day. */
import { isLightningError } from '../../base/errors.ts';
import type { Database } from '../database.ts';
import { healthOf } from './admin.ts';

export const HEALTH_MILLISECONDS = 30_000;
export const INTEGRITY_MILLISECONDS = 3_600_000;
export const BACKUP_MILLISECONDS = 86_400_000;

/** Calls again and again until what it returned is called. */
export type Every = (milliseconds: number, call: () => void) => () => void;

/** Told of each check. @param fields what was found, for a log */
export type CheckListener = (
  check: 'health' | 'integrity' | 'backup',
  isGood: boolean,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** The timers of the process. */
export const everyByTimer: Every = (milliseconds, call) => {
  const timer = setInterval(call, milliseconds);
  return () => clearInterval(timer);
};

/**
 * Checks until what it returned is called. `backups` is the folder of the daily backups, each on top of the last; without
 * it there are none. A check that fails is told as a bad one, and the next comes all the same.
 */
export function checkByTheClock(database: Database, every: Every, told: CheckListener, backups?: string): () => void {
  const stopHealth = every(HEALTH_MILLISECONDS, () => {
    const found = healthOf(database);
    told('health', found.healthy, { ...found });
  });
  const stopIntegrity = every(INTEGRITY_MILLISECONDS, () => {
    // In slices, so that those who are served go on.
    database.scrub().then(
      ({ findings }) => told('integrity', findings.length === 0, { findings }),
      (error: unknown) => told('integrity', false, fieldsOf(error)),
    );
  });
  const stopBackups =
    backups === undefined
      ? (): void => undefined
      : every(BACKUP_MILLISECONDS, () => {
          database.backup(backups, { incremental: true }).then(
            (report) => told('backup', true, { ...report }),
            (error: unknown) => told('backup', false, fieldsOf(error)),
          );
        });
  return () => {
    stopHealth();
    stopIntegrity();
    stopBackups();
  };
}

function fieldsOf(error: unknown): Readonly<Record<string, unknown>> {
  return isLightningError(error) ? { code: error.code, message: error.message } : { error: String(error) };
}
