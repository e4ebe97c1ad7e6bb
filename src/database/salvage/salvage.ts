/**
 * Salvage: what is readable of a damaged store becomes a new one. Rows are copied with their deadlines; entries of indexes
 * are not, they are built anew when the new store is opened with the indexes declared.
 */
import { isLightningError, LightningError } from '../../base/errors.ts';
import { LOCK_FILE } from '../../engine/file-names.ts';
import type { WriteOperation } from '../../engine/index.ts';
import type { Vfs, VfsLock } from '../../vfs/vfs.ts';
import { WatchedVfs } from '../../vfs/watched-vfs.ts';
import { Database } from '../database.ts';
import { isReserved } from '../index-codec.ts';
import { openLocation } from '../location.ts';
import { lockIfPossible } from '../read-only/read-only-database.ts';
import { type SalvagedRow, salvageRows, type SalvageReport } from './read-damaged.ts';

export type { SalvageReport } from './read-damaged.ts';

const BATCH_BYTES = 256 * 1024;

/**
 * Salvages the store in the folder `source` into `target`, which is empty or missing. The source is not changed.
 * @returns what could not be read, once everything that could is durable
 * @throws (rejects) LightningError `LIGHTNING_EXISTS` for a target with anything in it, `LIGHTNING_LOCKED`,
 *   `LIGHTNING_CORRUPTION` when the manifest cannot be read (nothing is made then), those of a path, environment errors
 */
export async function salvage(source: string, target: string): Promise<SalvageReport> {
  return salvageInto(openLocation(source, false), () => {
    const files = openLocation(target, true);
    if (files.list('').length > 0)
      throw new LightningError('LIGHTNING_EXISTS', `${target} is not empty`, { path: target });
    return files;
  });
}

/** The same on files that come from elsewhere; `target` is asked for once the source could be opened. */
export async function salvageInto(source: Vfs, target: () => Vfs): Promise<SalvageReport> {
  const files = new WatchedVfs(source, () => undefined);
  const lock = lockOf(files);
  try {
    const rows = salvageRows(files);
    let step = rows.next();
    const database = Database.openOn(target(), { errorIfExists: true, durability: 'none' });
    try {
      let batch: WriteOperation[] = [];
      let bytes = 0;
      for (; step.done !== true; step = rows.next()) {
        const row = step.value;
        if (isReserved(row.key)) continue;
        batch.push(putOf(row));
        bytes += row.key.length + row.value.length;
        if (bytes < BATCH_BYTES) continue;
        await database.batch(batch);
        batch = [];
        bytes = 0;
      }
      await database.batch(batch);
      await database.sync();
      return step.value;
    } finally {
      await database.close();
    }
  } finally {
    lock?.release();
  }
}

function putOf({ key, value, deadline }: SalvagedRow): WriteOperation {
  return Number.isFinite(deadline) ? { type: 'put', key, value, deadline } : { type: 'put', key, value };
}

function lockOf(files: Vfs): VfsLock | undefined {
  try {
    return lockIfPossible(files);
  } catch (error) {
    // A damaged lock file protects nothing.
    if (isLightningError(error, 'LIGHTNING_CORRUPTION') && files.kind(LOCK_FILE) === 'file') return undefined;
    throw error;
  }
}
