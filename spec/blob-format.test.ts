/** The worked examples of blob.md are read and made again byte for byte; every changed byte and every cut is refused. */
import { expect, test } from 'vitest';
import { fromText } from '../src/base/bytes.ts';
import { BlobFiles } from '../src/database/blobs/blob-files.ts';
import { decodeReference } from '../src/database/blobs/blob-reader.ts';
import { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { readWholeFile } from '../src/vfs/watched-vfs.ts';
import { fencedBlocks, hexBytes, readPage } from './pages.fixture.ts';

const ID = fromText('0123456789abcdef');
const [FILE, REFERENCE] = fencedBlocks(readPage('spec/formats/blob.md'), 'hex').map(hexBytes);

function readFrom(file: Uint8Array): Uint8Array {
  return new BlobFiles(new SimulatedDisk({ image: DiskImage.of({ 'blob-9': file }) }), ID).read(REFERENCE);
}

test('the examples of blob.md are read, and made again', () => {
  expect(decodeReference(REFERENCE)).toMatchObject({ number: 9, length: 3 });
  expect(readFrom(FILE)).toEqual(fromText('six'));
  const disk = new SimulatedDisk();
  const writer = new BlobFiles(disk, ID).create(9, 64);
  writer.write(fromText('six'), 0, 3);
  expect(writer.seal()).toEqual(REFERENCE);
  expect(readWholeFile(disk, 'blob-9')).toEqual(FILE);
});

test('every changed byte and every cut of a blob is refused', () => {
  for (let at = 0; at < FILE.length; at++) {
    const changed = FILE.slice();
    changed[at] ^= 0x20;
    expect(() => readFrom(changed), `byte ${at}`).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }));
    expect(() => readFrom(FILE.subarray(0, at))).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }));
  }
});

test('a reference that is none is refused', () => {
  expect(decodeReference(REFERENCE.subarray(1))).toBeUndefined();
  const tooLong = REFERENCE.slice();
  tooLong[9] = 1;
  expect(decodeReference(tooLong)).toBeUndefined();
});
