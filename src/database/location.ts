/** From a path to the folder that an engine works in. */
import { dirname, resolve } from 'node:path';
import { errnoOf, LightningError } from '../base/errors.ts';
import { NodeVfs } from '../vfs/node-vfs.ts';
import type { Vfs } from '../vfs/vfs.ts';

/**
 * The files of the store at `path`. With `create` a missing folder is made (its parent must be there) and its name made
 * durable.
 * @throws LightningError `LIGHTNING_NOT_FOUND`, `LIGHTNING_NOT_A_STORE`, `LIGHTNING_PERMISSION`, `LIGHTNING_IO`
 */
export function openLocation(path: string, create: boolean): Vfs {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a path is a non-empty string without zero bytes');
  }
  const full = resolve(path);
  // The folder is asked by its own root, not as a name in its parent: a name may hold what names in a store may not.
  const vfs = new NodeVfs(full);
  try {
    const kind = vfs.kind('');
    if (kind === undefined) {
      const parent = new NodeVfs(dirname(full));
      const parentKind = parent.kind('');
      if (parentKind !== undefined && parentKind !== 'directory') {
        throw new LightningError('LIGHTNING_NOT_A_STORE', `${path} lies below a file`, { path });
      }
      if (!create) throw new LightningError('LIGHTNING_NOT_FOUND', `there is no store at ${path}`, { path });
      if (parentKind === undefined) {
        throw new LightningError('LIGHTNING_NOT_FOUND', `the folder above ${path} is missing`, { path });
      }
      vfs.makeDirectory('');
      parent.syncDirectory('');
    } else if (kind !== 'directory') {
      throw new LightningError('LIGHTNING_NOT_A_STORE', `${path} is not a folder`, { path });
    }
  } catch (error) {
    throw coded(error, path);
  }
  return vfs;
}

function coded(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof LightningError) return error;
  if (errno === 'ENOENT')
    return new LightningError('LIGHTNING_NOT_FOUND', `the folder above ${path} is missing`, { path }, error);
  if (errno === 'ENOTDIR')
    return new LightningError('LIGHTNING_NOT_A_STORE', `${path} lies below a file`, { path }, error);
  const code = ['EACCES', 'EPERM', 'EROFS'].includes(errno) ? 'LIGHTNING_PERMISSION' : 'LIGHTNING_IO';
  return new LightningError(code, `cannot open ${path}: ${errno}`, { path, errno }, error);
}
