import { expect, test } from 'vitest';
import { mediumIn } from './ground.ts';

const MOUNTS = [
  '21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
  '30 21 0:25 / /mnt/memory rw,nosuid - tmpfs tmpfs rw',
  '31 21 0:26 / /mnt/with\\040space rw - xfs /dev/mapper/volume rw',
  '32 21 254:16 / /data rw - ext4 /dev/vdb rw',
  '33 32 0:30 / /data rw - ramfs none rw',
].join('\n');

test('the medium is that of the innermost mount, named without the path of the device', () => {
  expect(mediumIn(MOUNTS, '/home/store')).toEqual({ fileSystem: 'ext4', device: 'vda', volatile: false });
  expect(mediumIn(MOUNTS, '/mnt/with space/store')).toEqual({ fileSystem: 'xfs', device: 'volume', volatile: false });
});

test('file systems in memory are volatile, and a neighbour with the same beginning is not inside', () => {
  expect(mediumIn(MOUNTS, '/mnt/memory')?.volatile).toBe(true);
  expect(mediumIn(MOUNTS, '/mnt/memory/store')?.volatile).toBe(true);
  expect(mediumIn(MOUNTS, '/mnt/memory2')?.volatile).toBe(false);
});

test('of two mounts on one point the later one counts', () => {
  expect(mediumIn(MOUNTS, '/data/store')).toEqual({ fileSystem: 'ramfs', device: 'none', volatile: true });
});

test('text that is no mount table names no medium', () => {
  expect(mediumIn('', '/')).toBeUndefined();
  expect(mediumIn('garbage\n- -', '/')).toBeUndefined();
});
