/** The files of a store, with an archive for its log segments where one was asked for. */
import { LightningError } from '../../base/errors.ts';
import { NodeVfs } from '../../vfs/node-vfs.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { openLocation } from '../location.ts';
import { ArchivingVfs } from './archive-vfs.ts';
import { timelineOf } from './timeline.ts';

/**
 * @param archive path of the archive's folder, which is made if it is missing; `undefined` for none
 * @throws LightningError those of a path; nothing is archived into the store itself
 */
export function openFiles(files: Vfs, archive: string | undefined): Vfs {
  if (archive === undefined) return files;
  const folder = openLocation(archive, true);
  if (files instanceof NodeVfs && folder instanceof NodeVfs && files.root === folder.root)
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the archive is a folder of its own', { archive });
  return new ArchivingVfs(files, folder, () => timelineOf(files));
}
