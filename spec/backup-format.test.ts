/** The worked examples of backup.md are decoded and made again byte for byte; hostile manifests are refused with a code. */
import { expect, test } from 'vitest';
import { fromText } from '../src/base/bytes.ts';
import { crc32 } from '../src/base/checksum.ts';
import type { BackupState } from '../src/database/backup/backup-format.ts';
import { decodeBackup } from '../src/database/backup/backup-reader.ts';
import { encodeBackup } from '../src/database/backup/backup-writer.ts';
import { sha256 } from '../src/database/backup/sha256.ts';
import { encodeTimeline, timelineOf } from '../src/database/backup/timeline.ts';
import { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { fencedBlocks, hexBytes, readPage } from './pages.fixture.ts';

const ID = fromText('0123456789abcdef');
const STATE: BackupState = {
  databaseId: ID,
  timeline: ID,
  number: 2,
  parent: 1,
  parentCrc: 0x01020304,
  sequence: 7,
  time: 1000,
  dataBytes: 3,
  files: [{ name: 'MANIFEST', sizeBytes: 3, chunks: [{ backup: 2, offset: 0, sha256: sha256(fromText('ant')) }] }],
};
const NAME = 'backup-2.manifest';

const examples = fencedBlocks(readPage('spec/formats/backup.md'), 'hex').map(hexBytes);

test('the manifest of backup.md is decoded, and made again', () => {
  expect(decodeBackup(examples[0], NAME)).toEqual(STATE);
  expect(encodeBackup(STATE)).toEqual(examples[0]);
});

test('the timeline of backup.md is read, and made again; every flipped byte is found', () => {
  const read = (bytes: Uint8Array): Uint8Array => {
    return timelineOf(new SimulatedDisk({ image: DiskImage.of({ TIMELINE: bytes }) }));
  };
  expect(read(examples[1])).toEqual(fromText('fedcba9876543210'));
  expect(encodeTimeline(fromText('fedcba9876543210'), ID, 7)).toEqual(examples[1]);
  for (let at = 0; at < examples[1].length; at++) {
    const bytes = examples[1].slice();
    bytes[at] ^= 1;
    expect(() => read(bytes), `byte ${at}`).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }));
  }
});

test('every flipped byte and every cut of a manifest is found', () => {
  for (let at = 0; at < examples[0].length; at++) {
    const bytes = examples[0].slice();
    bytes[at] ^= 0x40;
    expect(() => decodeBackup(bytes, NAME), `byte ${at}`).toThrow(expect.objectContaining({ name: 'LightningError' }));
    expect(() => decodeBackup(examples[0].subarray(0, at), NAME)).toThrow(
      expect.objectContaining({ name: 'LightningError' }),
    );
  }
});

/** The example with a change and a right checksum. */
function forged(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = examples[0].slice();
  change(bytes);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes, 0, bytes.length - 4), true);
  return bytes;
}

test('a name that leads out of the target is refused although its checksum is right', () => {
  const bytes = forged((b) => b.set(fromText('../../xy'), 87));
  expect(() => decodeBackup(bytes, NAME)).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }));
});

test('a size that no list of chunks could hold is refused without memory for it', () => {
  const bytes = forged((b) => b.fill(0xff, 95, 101));
  expect(() => decodeBackup(bytes, NAME)).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }));
});

test('a newer format and an unknown incompatible feature are refused as such', () => {
  for (const at of [8, 14]) {
    const bytes = forged((b) => (b[at] += 1));
    expect(() => decodeBackup(bytes, NAME)).toThrow(expect.objectContaining({ code: 'LIGHTNING_UNSUPPORTED_FORMAT' }));
  }
});
