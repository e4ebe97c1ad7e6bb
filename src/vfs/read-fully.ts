/** Reads that end where a file ends, whatever single calls give (POSIX allows fewer bytes than asked for at any time). */
import type { VfsFile } from './vfs.ts';

/** As {@link VfsFile.read}, but fewer than `length` bytes only at the end of the file. */
export function readFully(
  file: Pick<VfsFile, 'read'>,
  target: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  let done = 0;
  while (done < length) {
    const count = file.read(target, offset + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
