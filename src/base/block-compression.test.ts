import { constants, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Prng } from './prng.ts';
import { compressBlock, COMPRESSION_CODES, decompressBlock, UNPACKED_BYTES_MAX } from './block-compression.ts';

const PACKING = ['deflate', 'zstd'] as const;

test.each(PACKING)('what %s packs comes back, of all sizes', (compression) => {
  const random = new Prng(1);
  const code = COMPRESSION_CODES.indexOf(compression);
  for (const length of [64, 100, 4095, 4096, 16_383, 16_384, 65_535, 65_536, 200_000, UNPACKED_BYTES_MAX]) {
    const raw = new Uint8Array(length).fill(7);
    for (let i = 0; i < length; i += 50) raw[i] = random.below(256);
    const packed = compressBlock(raw, compression);
    if (packed === undefined) throw new Error('these bytes can be packed');
    expect(packed.length).toBeLessThan(length);
    const unpacked = decompressBlock(packed, code, length, UNPACKED_BYTES_MAX);
    if (!unpacked.ok) throw new Error(unpacked.problem);
    expect(Buffer.compare(unpacked.value, raw)).toBe(0);
    // Plain bytes: a Buffer's `slice` would be a view.
    expect(unpacked.value.constructor).toBe(Uint8Array);
    // What is unpacked keeps hardly more memory alive than it is long.
    expect(unpacked.value.buffer.byteLength).toBeLessThan(length + 70_000);
    for (const wrong of [length - 1, length + 1]) {
      expect(decompressBlock(packed, code, wrong, UNPACKED_BYTES_MAX + 1).ok).toBe(false);
    }
  }
});

test('what does not shrink stays raw', () => {
  const noise = new Prng(2).bytes(5000);
  for (const compression of COMPRESSION_CODES) {
    expect(compressBlock(noise, compression)).toBeUndefined();
    expect(compressBlock(new Uint8Array(1), compression)).toBeUndefined();
  }
  const raw = decompressBlock(noise, 0, noise.length, noise.length);
  expect(raw.ok && raw.value).toBe(noise);
  expect(decompressBlock(noise, 0, noise.length - 1, noise.length).ok).toBe(false);
  expect(decompressBlock(noise, 0, noise.length, noise.length - 1).ok).toBe(false);
});

test.each(PACKING)('a bomb is stopped at the length that it declares (%s)', (compression) => {
  const code = COMPRESSION_CODES.indexOf(compression);
  const packed = compressBlock(new Uint8Array(8 << 20), compression);
  if (packed === undefined) throw new Error('zeros can be packed');
  // Stopped while unpacking, not measured afterwards.
  expect(decompressBlock(packed, code, 100_000, UNPACKED_BYTES_MAX)).toMatchObject({
    ok: false,
    problem: expect.stringContaining('stream is damaged') as string,
  });
  expect(decompressBlock(packed, code, 8 << 20, 100_000)).toMatchObject({
    problem: 'raw length 8388608 above the limit 100000',
  });
  expect(decompressBlock(packed, code, 0xffff_ffff, 0xffff_ffff).ok).toBe(false);
  expect(decompressBlock(packed, code, 0, UNPACKED_BYTES_MAX).ok).toBe(false);
});

test('a zstd frame with a larger window than ours is refused before it gets its memory', () => {
  const raw = new Uint8Array(8 << 20);
  const packed = zstdCompressSync(raw, { params: { [constants.ZSTD_c_windowLog]: 22 } });
  const decoded = decompressBlock(packed, COMPRESSION_CODES.indexOf('zstd'), raw.length, UNPACKED_BYTES_MAX);
  expect(decoded).toMatchObject({ ok: false, problem: expect.stringContaining('zstd stream is damaged') as string });
});

test('garbage is a problem, never an exception', () => {
  const random = new Prng(3);
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const stored = random.bytes(random.below(60));
    const decoded = decompressBlock(stored, random.below(5), random.below(300), 250);
    if (!decoded.ok) refused++;
  }
  expect(refused).toBeGreaterThan(2900);
});
