/**
 * Which blocks of a file are used, as a bitmap. A `FreeMap` belongs to one generation and never changes; a `FreeMapBuild`
 * takes blocks for the next one. It knows nothing of what is in the blocks, nor of files.
 *
 * Invariants:
 *   F1  block 0, the file's header, is used; the last block of a map is used (free ones at the end are cut off)
 *   F2  a build allocates only blocks that are free in its base map, not withheld and not allocated already
 *   F3  what a build frees of its base stays untouchable for this build and is free in the map it commits
 *   F4  a build that is dropped has changed nothing
 */
import { assert } from './assert.ts';
import type { Decoded } from './decoded.ts';

/** Some contiguous blocks. */
export interface BlockExtent {
  readonly block: number;
  readonly blocks: number;
}

/** Longer extents are searched from the last hint on, and move none. */
const HINT_SIZES = 64;

const isSet = (bits: Uint32Array, block: number): boolean => (bits[block >>> 5] & (1 << (block & 31))) !== 0;

/** Number of ones (Warren, "Hacker's Delight", 5-1). */
function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

function setRange(bits: Uint32Array, block: number, end: number, used: boolean): void {
  for (let i = block; i < end; i++) {
    if (used) bits[i >>> 5] |= 1 << (i & 31);
    else bits[i >>> 5] &= ~(1 << (i & 31));
  }
}

/** The map of one generation. */
export class FreeMap {
  /** One bit a block, 1 for used. Not to be changed. */
  readonly bits: Uint32Array;
  /** Blocks of the file, header included; everything behind is free. */
  readonly blockCount: number;
  readonly usedCount: number;

  /** @param bits taken over; bits at or behind `blockCount` must be zero */
  constructor(bits: Uint32Array, blockCount: number) {
    assert(blockCount >= 1 && blockCount <= bits.length * 32, 'a map has bits for its blocks', blockCount);
    assert(isSet(bits, 0) && isSet(bits, blockCount - 1), 'the first and the last block of a map are used');
    this.bits = bits;
    this.blockCount = blockCount;
    let used = 0;
    for (const word of bits) used += countBits(word);
    this.usedCount = used;
  }

  /** The map of a file that holds its header alone. */
  static ofEmptyFile(): FreeMap {
    return new FreeMap(Uint32Array.of(1), 1);
  }

  get freeCount(): number {
    return this.blockCount - this.usedCount;
  }

  isUsed(block: number): boolean {
    return block < this.blockCount && isSet(this.bits, block);
  }

  /** Free extents in ascending order, each as long as possible. */
  *freeExtents(): Generator<BlockExtent> {
    for (let block = 1; block < this.blockCount; block++) {
      if (isSet(this.bits, block)) continue;
      const start = block;
      while (!isSet(this.bits, block)) block++;
      yield { block: start, blocks: block - start };
    }
  }

  /** @param withheld extents that are free but not to be reused yet, because a reader pins an older generation */
  begin(withheld: readonly BlockExtent[] = []): FreeMapBuild {
    return new FreeMapBuild(this, withheld);
  }

  /** The map in which some blocks that are free here, or behind the end, are used as well. */
  including({ block, blocks }: BlockExtent): FreeMap {
    const end = block + blocks;
    for (let i = block; i < end; i++) assert(!this.isUsed(i), 'blocks that are added to a map are free in it', i);
    const blockCount = Math.max(this.blockCount, end);
    const bits = new Uint32Array(Math.ceil(blockCount / 32));
    bits.set(this.bits);
    setRange(bits, block, end, true);
    return new FreeMap(bits, blockCount);
  }

  /** One bit a block, the lowest bit of each byte first, up to the byte of the last block. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.blockCount / 8));
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.bits[i >>> 2] >>> ((i & 3) * 8);
    return bytes;
  }

  /** What {@link FreeMap.toBytes} made. The bytes are hostile. */
  static fromBytes(bytes: Uint8Array): Decoded<FreeMap> {
    const last = bytes.at(-1) ?? 0;
    if (last === 0) return { ok: false, problem: 'the map does not end with a used block' };
    const bits = new Uint32Array(Math.ceil(bytes.length / 4));
    for (let i = 0; i < bytes.length; i++) bits[i >>> 2] |= bytes[i] << ((i & 3) * 8);
    if ((bits[0] & 1) === 0) return { ok: false, problem: 'the header block is free' };
    return { ok: true, value: new FreeMap(bits, bytes.length * 8 - (Math.clz32(last) - 24)) };
  }

  clone(): FreeMap {
    return new FreeMap(this.bits.slice(), this.blockCount);
  }
}

/** The blocks that one build takes and gives back. */
export class FreeMapBuild {
  readonly base: FreeMap;
  /** Not to be allocated: used in the base, withheld, or allocated here. */
  private busy: Uint32Array;
  /** Used once this build is committed. */
  private next: Uint32Array;
  /** For each size, the last one standing for longer ones too: no free extent of that size starts before. */
  private readonly hints = new Uint32Array(HINT_SIZES + 1).fill(1);
  private readonly freed: BlockExtent[] = [];
  allocatedCount = 0;
  freedCount = 0;

  constructor(base: FreeMap, withheld: readonly BlockExtent[]) {
    this.base = base;
    this.busy = base.bits.slice();
    this.next = base.bits.slice();
    for (const { block, blocks } of withheld) {
      this.reserve(block + blocks);
      for (let i = block; i < block + blocks; i++) assert(!base.isUsed(i), 'a withheld block is free', i);
      setRange(this.busy, block, block + blocks, true);
    }
  }

  /** First fit; grows the file when nothing fits. O(1) amortised while sizes repeat. */
  allocate(blocks: number): number {
    assert(Number.isInteger(blocks) && blocks >= 1, 'an extent has a block at least', blocks);
    const size = Math.min(blocks, HINT_SIZES);
    const block = this.find(this.hints[size], blocks);
    if (blocks === size) this.hints[size] = block + blocks;
    this.reserve(block + blocks);
    setRange(this.busy, block, block + blocks, true);
    setRange(this.next, block, block + blocks, true);
    this.allocatedCount += blocks;
    return block;
  }

  /** The first place at or after `from` with that many blocks free; behind the end everything is. */
  private find(from: number, blocks: number): number {
    const { busy } = this;
    const end = busy.length * 32;
    let start = from;
    for (let at = from; at - start < blocks && at < end; at++) {
      if ((at & 31) === 0 && busy[at >>> 5] === 0xffff_ffff) {
        at += 31;
        start = at + 1;
      } else if (isSet(busy, at)) start = at + 1;
    }
    return start;
  }

  /** Gives an extent back: at once if this build allocated it, else with the commit. */
  free(block: number, blocks: number): void {
    assert(block >= 1, 'the header is never freed', block);
    const own = this.isOwn(block);
    for (let i = block; i < block + blocks; i++) {
      assert(this.willBeUsed(i), 'a freed block is used', i);
      assert(this.isOwn(i) === own, 'an extent is wholly old or wholly new', i);
    }
    setRange(this.next, block, block + blocks, false);
    if (!own) {
      this.freed.push({ block, blocks });
      this.freedCount += blocks;
      return;
    }
    setRange(this.busy, block, block + blocks, false);
    this.allocatedCount -= blocks;
    for (let size = 1; size <= HINT_SIZES; size++) {
      // The freed blocks may complete an extent that starts before them; the last hint serves longer ones too.
      const reach = size === HINT_SIZES ? block : size;
      this.hints[size] = Math.min(this.hints[size], Math.max(1, block - reach + 1));
    }
  }

  /** Whether this build allocated the block and still has it: the only blocks it may write. */
  isOwn(block: number): boolean {
    return this.willBeUsed(block) && !this.base.isUsed(block);
  }

  /** Whether the block will be used once this build is committed. */
  willBeUsed(block: number): boolean {
    return block < this.next.length * 32 && isSet(this.next, block);
  }

  /** What was freed of the base, for whoever has to withhold it from later builds. */
  freedExtents(): readonly BlockExtent[] {
    return this.freed;
  }

  /** The map of the next generation, as far as the build has come. */
  commit(): FreeMap {
    let blockCount = this.next.length * 32;
    while (!isSet(this.next, blockCount - 1)) blockCount--;
    return new FreeMap(this.next.slice(0, Math.ceil(blockCount / 32)), blockCount);
  }

  private reserve(blockCount: number): void {
    if (blockCount <= this.busy.length * 32) return;
    const words = Math.max(Math.ceil(blockCount / 32), this.busy.length * 2);
    const grow = (bits: Uint32Array): Uint32Array => {
      const grown = new Uint32Array(words);
      grown.set(bits);
      return grown;
    };
    this.busy = grow(this.busy);
    this.next = grow(this.next);
  }
}
