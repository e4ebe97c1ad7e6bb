/** The free blocks of `tree.db` as bytes: what a clean close makes zero. */
import { allZero } from '../base/bytes.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import type { FreeMap } from '../base/free-map.ts';

const CHUNK_BYTES = 256 * 1024;

/** The bytes of all free blocks, piece by piece. The buffer is used again. */
export function* freeChunks(
  file: VfsFile,
  map: Pick<FreeMap, 'freeExtents'>,
  blockSizeBytes: number,
): Generator<{ readonly position: number; readonly bytes: Uint8Array }> {
  const buffer = new Uint8Array(Math.max(CHUNK_BYTES, blockSizeBytes));
  for (const { block, blocks } of map.freeExtents()) {
    const end = (block + blocks) * blockSizeBytes;
    for (let position = block * blockSizeBytes; position < end; position += buffer.length) {
      const count = file.read(buffer, 0, Math.min(buffer.length, end - position), position);
      yield { position, bytes: buffer.subarray(0, count) };
    }
  }
}

/**
 * Makes every free block zero and the file exactly as long as its blocks: what a clean close establishes, so that no
 * byte of the file is unaccounted for. Only once the manifest that names `map` is durable, and nobody reads an older
 * generation. Durable after the next sync of the file. Cost: linear in the free bytes.
 */
export function zeroFreeBlocks(file: VfsFile, map: FreeMap, blockSizeBytes: number): void {
  for (const { position, bytes } of freeChunks(file, map, blockSizeBytes)) {
    if (!allZero(bytes)) file.write(bytes.fill(0), 0, bytes.length, position);
  }
  const size = map.blockCount * blockSizeBytes;
  if (file.size() !== size) file.truncate(size);
}
