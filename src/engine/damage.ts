/** Damage found on disk as an error: one shape for all files. */
import { errnoOf, LightningError } from '../base/errors.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';
import { readWholeFile } from '../vfs/watched-vfs.ts';
import type { Decoded } from './types.ts';

/** What a decoder returns for bytes that it does not believe. */
export function refuse(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}

/** The error for damage: which file, where (bytes from its start; `undefined`: the whole of it), and what is wrong. */
export function corruption(file: string, offset: number | undefined, problem: string, cause?: unknown): LightningError {
  const where = offset === undefined ? '' : ` at offset ${offset}`;
  const details = { file, offset, problem };
  return new LightningError('LIGHTNING_CORRUPTION', `${file}${where}: ${problem}`, details, cause);
}

/** @throws LightningError `LIGHTNING_CORRUPTION` for what a decoder refused */
export function believe<T>(decoded: Decoded<T>, file: string, offset: number | undefined): T {
  if (!decoded.ok) throw corruption(file, offset, decoded.problem);
  return decoded.value;
}

/**
 * Opens a file that the manifest names.
 * @throws LightningError `LIGHTNING_CORRUPTION` when it is missing; operating system errors as they come
 */
export function openNamed(vfs: Vfs, path: string, mode: 'read' | 'write'): VfsFile {
  return named(path, () => vfs.open(path, mode));
}

/** Reads a whole file that the manifest names, as {@link openNamed} opens it. */
export function readNamed(vfs: Vfs, path: string): Uint8Array {
  return named(path, () => readWholeFile(vfs, path));
}

function named<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw corruption(path, undefined, 'named by the manifest but missing', error);
  }
}
