/**
 * Damage at rest: what bit rot, a misdirected write or a careless hand does to a disk while no process runs. A damage is
 * plain data, so that it can be saved and replayed.
 */
import { assert } from '../base/assert.ts';
import { allZero, equalBytes } from '../base/bytes.ts';
import type { Prng } from '../base/prng.ts';
import type { DiskImage } from './disk-image.ts';
import { SECTOR_BYTES } from './persistence.ts';

/** Positions and lengths are bytes and lie inside the file. */
export type Damage =
  /** Inverts the bits of `mask`, 1 to 255, in one byte. */
  | { readonly kind: 'flip'; readonly path: string; readonly position: number; readonly mask: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly sizeBytes: number }
  /** Fills the sector that holds a position with zeros, as far as the file goes. */
  | { readonly kind: 'zero-sector'; readonly path: string; readonly position: number }
  /** Exchanges two ranges of one length that do not overlap. */
  | {
      readonly kind: 'swap';
      readonly path: string;
      readonly first: number;
      readonly second: number;
      readonly lengthBytes: number;
    }
  | { readonly kind: 'remove'; readonly path: string };

/**
 * The damaged disk; the given one stays as it is.
 * @returns `undefined` when the damage changes no byte (a sector was zero before, both ranges were equal)
 */
export function applyDamage(image: DiskImage, damage: Damage): DiskImage | undefined {
  const bytes = image.get(damage.path);
  assert(bytes !== undefined, 'a damage is done to a file that is there', damage.path);
  const damaged = image.clone();
  if (damage.kind === 'remove') {
    damaged.remove(damage.path);
    return damaged;
  }
  const changed = damagedBytes(bytes, damage);
  if (equalBytes(bytes, changed)) return undefined;
  damaged.set(damage.path, changed);
  return damaged;
}

/**
 * The disk with one file as an older image has it, or without it where that has none.
 * @returns `undefined` when that changes nothing
 */
export function withOlderFile(image: DiskImage, path: string, older: DiskImage): DiskImage | undefined {
  const bytes = image.get(path);
  const oldBytes = older.get(path);
  const isSame = bytes === undefined || oldBytes === undefined ? bytes === oldBytes : equalBytes(bytes, oldBytes);
  if (isSame) return undefined;
  const damaged = image.clone();
  if (oldBytes === undefined) damaged.remove(path);
  else damaged.set(path, oldBytes);
  return damaged;
}

function damagedBytes(bytes: Uint8Array, damage: Exclude<Damage, { kind: 'remove' }>): Uint8Array {
  const changed = bytes.slice();
  switch (damage.kind) {
    case 'flip':
      assert(damage.position < bytes.length, 'a damage lies inside the file', damage.position, bytes.length);
      assert(damage.mask >= 1 && damage.mask <= 0xff, 'a flip inverts a bit at least', damage.mask);
      changed[damage.position] ^= damage.mask;
      return changed;
    case 'truncate':
      assert(damage.sizeBytes <= bytes.length, 'a damage lies inside the file', damage.sizeBytes, bytes.length);
      return bytes.slice(0, damage.sizeBytes);
    case 'zero-sector': {
      assert(damage.position < bytes.length, 'a damage lies inside the file', damage.position, bytes.length);
      const start = Math.floor(damage.position / SECTOR_BYTES) * SECTOR_BYTES;
      return changed.fill(0, start, start + SECTOR_BYTES);
    }
    case 'swap': {
      const { first, second, lengthBytes } = damage;
      assert(first + lengthBytes <= second && second + lengthBytes <= bytes.length, 'swapped ranges are apart', first);
      changed.set(bytes.subarray(second, second + lengthBytes), first);
      changed.set(bytes.subarray(first, first + lengthBytes), second);
      return changed;
    }
  }
}

/** Draws a damage that changes something; `undefined` when the image has no file to damage. Large files are hit more. */
export function randomDamage(random: Prng, image: DiskImage): Damage | undefined {
  const paths = image.paths();
  if (paths.length === 0) return undefined;
  const sizes = paths.map((path) => image.get(path)?.length ?? 0);
  const path = paths[random.weighted(sizes.map((size) => Math.sqrt(size) + 1))];
  const bytes = image.get(path);
  assert(bytes !== undefined, 'a listed file is there', path);
  if (bytes.length === 0) return { kind: 'remove', path };
  const position = random.below(bytes.length);
  const flip: Damage = { kind: 'flip', path, position, mask: random.chance(0.5) ? 1 << random.below(8) : 0xff };
  switch (random.weighted([5, 2, 2, 2, 1])) {
    case 0:
      return flip;
    case 1:
      return { kind: 'truncate', path, sizeBytes: position };
    case 2: {
      const start = Math.floor(position / SECTOR_BYTES) * SECTOR_BYTES;
      const isZero = allZero(bytes, start, Math.min(bytes.length, start + SECTOR_BYTES));
      return isZero ? flip : { kind: 'zero-sector', path, position };
    }
    case 3:
      return randomSwap(random, path, bytes) ?? flip;
    default:
      return { kind: 'remove', path };
  }
}

/** Two ranges of different bytes: sectors where there are two, otherwise shorter ones. */
function randomSwap(random: Prng, path: string, bytes: Uint8Array): Damage | undefined {
  const bySector = bytes.length >= 2 * SECTOR_BYTES && random.chance(0.7);
  const lengthBytes = bySector ? SECTOR_BYTES : random.between(1, Math.max(1, Math.floor(bytes.length / 4)));
  const count = Math.floor(bytes.length / lengthBytes);
  if (count < 2) return undefined;
  const a = random.below(count);
  const b = (a + 1 + random.below(count - 1)) % count;
  const first = Math.min(a, b) * lengthBytes;
  const second = Math.max(a, b) * lengthBytes;
  const isEqual = equalBytes(bytes.subarray(first, first + lengthBytes), bytes.subarray(second, second + lengthBytes));
  return isEqual ? undefined : { kind: 'swap', path, first, second, lengthBytes };
}
