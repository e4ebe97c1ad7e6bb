import { expect, test } from 'vitest';
import { fromText, writeUint16, writeUint32 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { seal, SEAL_BYTES, sealedDatabaseId, sealedFileNumber, sealProblem } from './sealed-file.ts';

const KIND = { magic: fromText('LDB-TEST'), formatVersion: 3 };
const ID = fromText('0123456789abcdef');
const OTHER_ID = fromText('0123456789abcdeX');

function sealed(): Uint8Array {
  const bytes = new Uint8Array(SEAL_BYTES + 20).fill(7, SEAL_BYTES);
  return seal(bytes, KIND, ID, 9);
}

/** Changed, with a checksum that is right again. */
function resealed(change: (bytes: Uint8Array) => void, databaseId = ID, fileNumber = 9): Uint8Array {
  const bytes = sealed();
  change(bytes);
  writeUint32(bytes, crc32(bytes, 12, bytes.length, identitySeed(crc32(databaseId), fileNumber, 0)), 8);
  return bytes;
}

test('what was sealed is believed, by the one that it belongs to', () => {
  const bytes = sealed();
  expect(sealProblem(bytes, KIND, ID, 9)).toBe(undefined);
  expect([sealedDatabaseId(bytes), sealedFileNumber(bytes)]).toEqual([ID, 9]);
  expect(sealProblem(bytes, KIND, OTHER_ID, 9)?.reason).toBe('damaged');
  expect(sealProblem(bytes, KIND, ID, 8)?.reason).toBe('damaged');
  expect(sealProblem(bytes, { ...KIND, magic: fromText('LDB-TEXT') }, ID, 9)?.reason).toBe('foreign');
});

test('every changed bit is damage, unless it makes the file a foreign one; so is every cut', () => {
  for (let bit = 0; bit < sealed().length * 8; bit++) {
    const bytes = sealed();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    expect([bit, sealProblem(bytes, KIND, ID, 9)?.reason]).toEqual([bit, bit < 64 ? 'foreign' : 'damaged']);
  }
  for (let length = 0; length < sealed().length; length++) {
    expect(sealProblem(sealed().subarray(0, length), KIND, ID, 9)?.reason).toBe('damaged');
  }
});

test('another version or feature is told as such; a compatible feature is ignored', () => {
  const version = resealed((bytes) => writeUint16(bytes, 4, 12));
  expect(sealProblem(version, KIND, ID, 9)).toEqual({ reason: 'format', problem: 'format version 4 is not known' });
  expect(
    sealProblem(
      resealed((bytes) => writeUint32(bytes, 1, 20)),
      KIND,
      ID,
      9,
    )?.reason,
  ).toBe('format');
  expect(
    sealProblem(
      resealed((bytes) => writeUint32(bytes, 1, 16)),
      KIND,
      ID,
      9,
    ),
  ).toBe(undefined);
});

test('a right checksum does not make up for a wrong owner, number or reserved field', () => {
  const damaged = (problem: string): unknown => ({ reason: 'damaged', problem: expect.stringContaining(problem) });
  const owner = resealed((bytes) => bytes.set(OTHER_ID, 24));
  expect(sealProblem(owner, KIND, ID, 9)).toEqual(damaged('another database'));
  expect(
    sealProblem(
      resealed((bytes) => writeUint32(bytes, 8, 40)),
      KIND,
      ID,
      9,
    ),
  ).toEqual(damaged('another number'));
  expect(
    sealProblem(
      resealed((bytes) => writeUint16(bytes, 1, 14)),
      KIND,
      ID,
      9,
    ),
  ).toEqual(damaged('reserved'));
});
