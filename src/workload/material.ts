/**
 * The keys and values that programs are made of: few keys, so that operations meet, and among them the sizes and bytes
 * at which real engines broke (16-bit lengths, page-sized values, signed comparison, values that look like a deletion
 * mark, keys that are prefixes of each other).
 */
import type { Prng } from '../base/prng.ts';
import { type BytesText, lengthOfText } from '../contract/bytes-text.ts';

/** Bounds that the engine under test states. */
export interface MaterialBounds {
  readonly emptyKey: boolean;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
}

/** Sizes at which length fields, pages and buffers end. */
export const EDGE_SIZES: readonly number[] = [0, 1, 255, 256, 4095, 4096, 4097, 65_535, 65_536];
/** More than a mebibyte, a little off the round number. */
export const HUGE_SIZE_BYTES = 1_048_583;

const EDGE_BYTES: readonly string[] = ['00', '7f', '80', 'ff', 'ffff', 'ffffffff', '7fffffff', '80000000', '0000'];
const EDGE_VALUES: readonly string[] = ['', '00', 'ff', 'ffffffff', '00000000', 'deadbeef'];
/** Eight bytes and more that a comparison by little-endian words would put in another order. */
const WORDS: readonly string[] = ['0100000000000002', '0200000000000001', '00000000000000ff', 'ff00000000000000'];
/** Not UTF-8: keys that become equal when they pass through text. */
const NO_TEXT: readonly string[] = ['c3', 'e9', 'c328', 'fe', 'f0288cbc'];

function hex(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

function sized(prng: Prng, sizeBytes: number): BytesText {
  const repeat = hex(prng.pick(['k', 'ab', 'xyz', '\xff', '\0']));
  return sizeBytes === 0 ? '' : { repeat, length: sizeBytes };
}

/** How a program's keys are drawn; a swarm choice, made once for each program. */
export interface KeyPool {
  readonly keys: readonly BytesText[];
  /** Probability that a key is drawn from the first three. */
  readonly skew: number;
}

/** Draws the keys of one program. @param longKeys whether keys of edge sizes are among them */
export function drawKeyPool(prng: Prng, bounds: MaterialBounds, longKeys: boolean): KeyPool {
  const count = prng.pick([3, 6, 12, 24, 60]);
  const families: readonly (() => BytesText)[] = [
    () => hex(prng.pick(['a', 'b', 'c', 'd', 'e']) + prng.pick(['', '', String(prng.below(10))])),
    () => hex('p'.repeat(prng.between(1, 5))) + prng.pick(['', '00', 'ff', '80']),
    () => prng.pick(EDGE_BYTES),
    () => prng.pick(WORDS),
    () => prng.pick(NO_TEXT),
    () => hex(`user:${String(prng.below(100)).padStart(4, '0')}`),
    () => Buffer.from(prng.bytes(prng.between(1, 20))).toString('hex'),
  ];
  const weights: number[] = families.map(() => (prng.chance(0.5) ? 1 + prng.below(4) : 0));
  if (!weights.some((weight) => weight > 0)) weights[0] = 1;
  const chosen = new Map<string, BytesText>();
  const add = (key: BytesText): void => {
    const length = lengthOfText(key);
    if (length <= bounds.keyBytesMax && (length > 0 || bounds.emptyKey)) chosen.set(JSON.stringify(key), key);
  };
  for (let attempt = 0; chosen.size < count && attempt < 4 * count; attempt++) add(families[prng.weighted(weights)]());
  if (chosen.size === 0) add(hex('a'));
  if (prng.chance(0.15)) add('');
  if (longKeys) {
    for (let i = 0; i < 2; i++) add(sized(prng, prng.pick(EDGE_SIZES.slice(2, -1))));
    add(sized(prng, Math.min(bounds.keyBytesMax, 65_535)));
  }
  return { keys: prng.shuffle([...chosen.values()]), skew: prng.pick([0, 0.3, 0.7]) };
}

/** One key of the pool. */
export function drawKey(prng: Prng, pool: KeyPool): BytesText {
  return prng.chance(pool.skew) ? pool.keys[prng.below(Math.min(3, pool.keys.length))] : prng.pick(pool.keys);
}

/** What values a program writes; a swarm choice. */
export interface ValueStyle {
  readonly edgeBytes: number;
  readonly edgeSizes: number;
  readonly hugeSizes: number;
  readonly mediumSizes: number;
}

/** Draws how values are made. */
export function drawValueStyle(prng: Prng): ValueStyle {
  return {
    edgeBytes: prng.pick([0, 0.1, 0.4]),
    edgeSizes: prng.pick([0, 0, 0.05, 0.2]),
    hugeSizes: prng.pick([0, 0, 0, 0.01]),
    mediumSizes: prng.pick([0, 0.3, 0.8]),
  };
}

/**
 * One value. Most name the operation that wrote them, so that a wrong one tells where it came from.
 * @param serial number of the write in its program
 */
export function drawValue(prng: Prng, style: ValueStyle, serial: number, bounds: MaterialBounds): BytesText {
  const name = serial.toString(16).padStart(6, '0');
  if (prng.chance(style.edgeBytes)) return prng.pick(EDGE_VALUES);
  let sizeBytes = 3;
  if (prng.chance(style.hugeSizes)) sizeBytes = HUGE_SIZE_BYTES;
  else if (prng.chance(style.edgeSizes)) sizeBytes = prng.pick(EDGE_SIZES);
  else if (prng.chance(style.mediumSizes)) sizeBytes = prng.between(4, 300);
  const length = Math.min(sizeBytes, bounds.valueBytesMax);
  return length === 3 ? name : length === 0 ? '' : { repeat: name, length };
}
