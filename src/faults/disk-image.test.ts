import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { Prng } from '../base/prng.ts';
import { applyDamage, type Damage, randomDamage, withOlderFile } from './damage.ts';
import { DiskImage } from './disk-image.ts';

function sample(): DiskImage {
  const image = DiskImage.of({ a: fromText('text'), 'd/b': new Prng(1).bytes(3000), empty: new Uint8Array(0) });
  image.addFolder('e/f');
  return image;
}

test('an image lists its files and folders', () => {
  const image = sample();
  expect(image.paths()).toEqual(['a', 'd/b', 'empty']);
  expect(image.folders()).toEqual(['d', 'e', 'e/f']);
  expect(image.sizeBytes).toBe(3004);
  expect(image.get('missing')).toBe(undefined);
  expect(() => image.set('d', new Uint8Array(0))).toThrow('a file or a folder');
  expect(() => image.addFolder('a/below')).toThrow('a file or a folder');
});

test('hash and equality tell names, folders, sizes and bytes apart', () => {
  const changes: ((image: DiskImage) => void)[] = [
    () => undefined,
    (image) => image.set('a', fromText('texT')),
    (image) => image.set('a', fromText('text\0')),
    (image) => image.set('empty', fromText('\0')),
    (image) => void image.remove('empty'),
    (image) => image.set('new', new Uint8Array(0)),
    (image) => image.addFolder('new'),
    (image) => {
      image.remove('a');
      image.set('c', fromText('text'));
    },
    (image) => {
      image.set('a', image.get('d/b') ?? new Uint8Array(0));
      image.set('d/b', fromText('text'));
    },
  ];
  const images = changes.map((change) => {
    const image = sample();
    change(image);
    return image;
  });
  expect(new Set(images.map((image) => image.hash())).size).toBe(images.length);
  for (const [i, one] of images.entries()) {
    for (const [j, other] of images.entries()) expect(one.equals(other)).toBe(i === j);
  }
  expect(sample().hash()).toMatch(/^[0-9a-f]{16}$/);
});

test('a clone shares bytes and nothing else', () => {
  const image = sample();
  const copy = image.clone();
  expect(copy.equals(image)).toBe(true);
  expect(copy.get('d/b')).toBe(image.get('d/b'));
  copy.set('a', fromText('other'));
  copy.remove('empty');
  expect(image.equals(sample())).toBe(true);
});

test('each damage does what it says', () => {
  const image = DiskImage.of({ f: fromText('abcdef') });
  const damaged = (damage: Damage): string => {
    const bytes = applyDamage(image, damage)?.get('f');
    return bytes === undefined ? 'none' : Buffer.from(bytes).toString('latin1');
  };
  expect(damaged({ kind: 'flip', path: 'f', position: 1, mask: 0x20 })).toBe('aBcdef');
  expect(damaged({ kind: 'truncate', path: 'f', sizeBytes: 2 })).toBe('ab');
  expect(damaged({ kind: 'zero-sector', path: 'f', position: 3 })).toBe('\0\0\0\0\0\0');
  expect(damaged({ kind: 'swap', path: 'f', first: 0, second: 4, lengthBytes: 2 })).toBe('efcdab');
  expect(damaged({ kind: 'remove', path: 'f' })).toBe('none');
  expect(applyDamage(image, { kind: 'remove', path: 'f' })?.paths()).toEqual([]);
  expect(applyDamage(image, { kind: 'truncate', path: 'f', sizeBytes: 6 })).toBe(undefined);
  const big = DiskImage.of({ f: new Uint8Array(1500).fill(7) });
  const zeroed = applyDamage(big, { kind: 'zero-sector', path: 'f', position: 600 })?.get('f');
  expect(zeroed?.indexOf(0)).toBe(512);
  expect(zeroed?.lastIndexOf(0)).toBe(1023);
  expect(Buffer.from(image.get('f') ?? []).toString()).toBe('abcdef');
});

test('a file is replaced by its older self, or goes where there was none', () => {
  const older = DiskImage.of({ f: fromText('old') });
  const image = DiskImage.of({ f: fromText('new'), g: fromText('only now') });
  expect(Buffer.from(withOlderFile(image, 'f', older)?.get('f') ?? []).toString()).toBe('old');
  expect(withOlderFile(image, 'g', older)?.paths()).toEqual(['f']);
  expect(withOlderFile(older, 'f', older)).toBe(undefined);
});

test('random damage always changes something, of every kind', () => {
  const random = new Prng(4);
  const image = sample();
  const kinds = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    const damage = randomDamage(random, image);
    if (damage === undefined) throw new Error('there are files to damage');
    kinds.add(damage.kind);
    const damaged = applyDamage(image, damage);
    expect(damaged === undefined || damaged.equals(image), JSON.stringify(damage)).toBe(false);
  }
  expect([...kinds].sort()).toEqual(['flip', 'remove', 'swap', 'truncate', 'zero-sector']);
  expect(randomDamage(random, new DiskImage())).toBe(undefined);
});
