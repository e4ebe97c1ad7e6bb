/**
 * How the bytes of one block are packed: `none` (0), `deflate` (1, raw, RFC 1951) or `zstd` (2, RFC 8878, window of at
 * most 512 KiB). Chosen per block; a packed form that is not smaller is not used.
 *
 * Unpacking trusts nothing: its output is bounded by the length that the block declares, which the caller has bounded,
 * and its window by the one that packing uses.
 */
import { constants, deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { assert, unreachable } from './assert.ts';
import type { Decoded } from './decoded.ts';

/** How the bytes of one block are kept. */
export type Compression = 'none' | 'deflate' | 'zstd';

/** Longest block that is packed; longer ones are kept raw. */
export const UNPACKED_BYTES_MAX = 17 * 1024 * 1024;

/** The code of each compression, as stored; the position is the code. */
export const COMPRESSION_CODES: readonly Compression[] = ['none', 'deflate', 'zstd'];

const LEVEL_FAST = 1;
const ZSTD_WINDOW_LOG = 19;
const ZSTD_PACK = {
  params: { [constants.ZSTD_c_compressionLevel]: LEVEL_FAST, [constants.ZSTD_c_windowLog]: ZSTD_WINDOW_LOG },
};
const ZSTD_UNPACK = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
const CHUNK_BYTES_MIN = 64;
const CHUNK_BYTES_MAX = 64 * 1024;

/** The packed form of `raw`, or `undefined` when there is none that is smaller. */
export function compressBlock(raw: Uint8Array, compression: Compression): Uint8Array | undefined {
  if (raw.length > UNPACKED_BYTES_MAX) return undefined;
  const packed = pack(raw, compression);
  return packed !== undefined && packed.length < raw.length ? packed : undefined;
}

function pack(raw: Uint8Array, compression: Compression): Uint8Array | undefined {
  switch (compression) {
    case 'none':
      return undefined;
    case 'deflate':
      return deflateRawSync(raw, { level: LEVEL_FAST });
    case 'zstd':
      return zstdCompressSync(raw, ZSTD_PACK);
    default:
      return unreachable(compression);
  }
}

/**
 * The raw bytes of a stored block. Untrusted input: any wrong code, length or stream is a problem, never an exception.
 * @param rawLength the length that the block declares
 * @param rawLimit what it may declare at most, for packed forms no more than {@link UNPACKED_BYTES_MAX}
 * @returns for `none` a view of `stored`, else fresh bytes; exactly `rawLength` of them
 */
export function decompressBlock(
  stored: Uint8Array,
  code: number,
  rawLength: number,
  rawLimit: number,
): Decoded<Uint8Array> {
  assert(rawLimit >= 0, 'a limit of raw bytes is not negative', rawLimit);
  if (code >= COMPRESSION_CODES.length) return { ok: false, problem: `unknown compression ${code}` };
  const compression = COMPRESSION_CODES[code];
  if (rawLength > rawLimit) return { ok: false, problem: `raw length ${rawLength} above the limit ${rawLimit}` };
  if (compression === 'none') {
    if (stored.length === rawLength) return { ok: true, value: stored };
    return { ok: false, problem: `${stored.length} raw bytes where ${rawLength} are declared` };
  }
  if (rawLength <= stored.length || rawLength > UNPACKED_BYTES_MAX) {
    return { ok: false, problem: `${stored.length} packed bytes cannot stand for ${rawLength}` };
  }
  // One byte more than needed, so that the common block is unpacked in one go and no memory stays behind it.
  const chunkSize = Math.max(CHUNK_BYTES_MIN, Math.min(CHUNK_BYTES_MAX, rawLength + 1));
  let raw: Buffer;
  try {
    raw =
      compression === 'deflate'
        ? inflateRawSync(stored, { maxOutputLength: rawLength, chunkSize })
        : zstdDecompressSync(stored, { maxOutputLength: rawLength, chunkSize, params: ZSTD_UNPACK });
  } catch (error) {
    return { ok: false, problem: `${compression} stream is damaged: ${String(error)}` };
  }
  if (raw.length !== rawLength)
    return { ok: false, problem: `${raw.length} bytes unpacked where ${rawLength} are declared` };
  // Not the Buffer itself: its `slice` is a view, where everybody here relies on a copy.
  return { ok: true, value: new Uint8Array(raw.buffer, raw.byteOffset, raw.length) };
}
