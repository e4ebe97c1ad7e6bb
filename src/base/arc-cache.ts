/**
 * The block cache: ARC (Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003), weighed in
 * bytes instead of pages.
 *
 * Four lists, most recently used first. T1 holds blocks seen once, T2 blocks seen more often; B1 and B2 hold ghosts,
 * the numbers and weights of what was evicted from T1 and T2. A block that comes back as a ghost of B1 says that T1 is
 * too small, one of B2 that T2 is; `target`, the bytes that T1 should have (p in the paper), moves accordingly. A scan
 * passes through T1 and leaves T2 alone.
 *
 * Invariants
 *   1. T1 + T2 ≤ capacity.
 *   2. T1 + B1 ≤ capacity.
 *   3. B1 + B2 ≤ capacity; in the paper it follows from "all four ≤ 2 × capacity", here blocks may also be removed.
 *   4. 0 ≤ target ≤ capacity.
 *   5. Every block and ghost is in one list and in the map, under its own numbers; ghosts hold no block.
 *
 * Found by two maps, file then place: numbers beyond 2^31 are slow as keys, and one key made of both would be unsafe
 * from file number 2^21 on.
 */
import { assert, assertionLevel, sometimes } from './assert.ts';
import type { BlockCache, CachedBlock } from './block-cache.ts';

/** A block heavier than this part of the capacity would push out too much, and is not cached. */
const CAPACITY_PART_MAX = 4;
const NUMBER_MAX = 0xffff_ffff;

/** A block or a ghost. */
class Node {
  readonly file: number;
  readonly place: number;
  block: CachedBlock | undefined = undefined;
  weight = 0;
  list: List | undefined = undefined;
  newer: Node = this;
  older: Node = this;

  constructor(file: number, place: number) {
    this.file = file;
    this.place = place;
  }
}

/** A doubly linked ring through a head that is not an element; it knows its weight. */
class List {
  readonly head = new Node(-1, -1);
  bytes = 0;
  length = 0;

  get oldest(): Node {
    assert(this.length > 0, 'the oldest is taken from a list that is not empty');
    return this.head.newer;
  }

  addNewest(node: Node): void {
    assert(node.list === undefined, 'a node is in one list');
    const head = this.head;
    node.newer = head;
    node.older = head.older;
    head.older.newer = node;
    head.older = node;
    node.list = this;
    this.bytes += node.weight;
    this.length++;
  }

  remove(node: Node): void {
    assert(node.list === this, 'a node is removed from its own list');
    node.older.newer = node.newer;
    node.newer.older = node.older;
    node.list = undefined;
    this.bytes -= node.weight;
    this.length--;
  }
}

/** What a cache has done and holds. */
export interface CacheStatistics {
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly blocks: number;
  readonly sizeBytes: number;
  readonly ghosts: number;
  readonly ghostBytes: number;
  /** Bytes that blocks seen once may have. */
  readonly targetBytes: number;
}

export class ArcCache implements BlockCache {
  readonly capacityBytes: number;
  private readonly files = new Map<number, Map<number, Node>>();
  private readonly t1 = new List();
  private readonly t2 = new List();
  private readonly b1 = new List();
  private readonly b2 = new List();
  private target = 0;
  private hits = 0;
  private misses = 0;
  private evictions = 0;

  /** @param capacityBytes what the blocks may weigh together; 0 caches nothing */
  constructor(capacityBytes: number) {
    assert(Number.isSafeInteger(capacityBytes) && capacityBytes >= 0, 'a capacity is a size', capacityBytes);
    this.capacityBytes = capacityBytes;
  }

  /** The block, now the most recently used of those seen more than once. */
  get(file: number, place: number): CachedBlock | undefined {
    const node = this.files.get(file)?.get(place);
    if (node?.block === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    this.move(node, this.t2);
    return node.block;
  }

  /** Adds or replaces a block. One heavier than a quarter of the capacity is declined, and what it replaces forgotten. */
  put(file: number, place: number, block: CachedBlock): void {
    const weight = block.sizeBytes;
    assert(Number.isSafeInteger(weight) && weight > 0, 'a block weighs something', weight);
    assert(Number.isInteger(file) && file >= 0 && file <= NUMBER_MAX, 'a file number has 32 bits', file);
    assert(Number.isInteger(place) && place >= 0 && place <= NUMBER_MAX, 'a place has 32 bits', place);
    if (weight * CAPACITY_PART_MAX > this.capacityBytes) {
      this.remove(file, place);
      return;
    }
    const known = this.files.get(file)?.get(place);
    if (known === undefined) this.insert(this.register(file, place), block, this.t1, false);
    else if (known.list === this.b1 || known.list === this.b2) this.welcomeBack(known, block);
    else this.replace(known, block);
    if (assertionLevel >= 2) this.checkInvariants();
  }

  /** Forgets a block or its ghost. */
  remove(file: number, place: number): void {
    const node = this.files.get(file)?.get(place);
    if (node !== undefined) this.forget(node);
  }

  /** Forgets everything of one file. Cost: linear in what is held of it. */
  removeFile(file: number): void {
    const places = this.files.get(file);
    if (places !== undefined) for (const node of [...places.values()]) this.forget(node);
  }

  /** Forgets everything but the statistics. */
  clear(): void {
    for (const file of [...this.files.keys()]) this.removeFile(file);
    this.target = 0;
  }

  get statistics(): CacheStatistics {
    return {
      hits: this.hits,
      misses: this.misses,
      evictions: this.evictions,
      blocks: this.t1.length + this.t2.length,
      sizeBytes: this.t1.bytes + this.t2.bytes,
      ghosts: this.b1.length + this.b2.length,
      ghostBytes: this.b1.bytes + this.b2.bytes,
      targetBytes: this.target,
    };
  }

  /** A ghost comes back: the list that it was evicted from should have been larger. */
  private welcomeBack(ghost: Node, block: CachedBlock): void {
    const { b1, b2, capacityBytes } = this;
    const weight = block.sizeBytes;
    const fromB2 = ghost.list === b2;
    if (fromB2) {
      sometimes('cache: ghost of a block seen often');
      this.target = Math.max(0, this.target - Math.round(weight * Math.max(1, b1.bytes / b2.bytes)));
    } else {
      sometimes('cache: ghost of a block seen once');
      this.target = Math.min(capacityBytes, this.target + Math.round(weight * Math.max(1, b2.bytes / b1.bytes)));
    }
    ghost.list?.remove(ghost);
    this.insert(ghost, block, this.t2, fromB2);
  }

  /** Another block under the same numbers: it keeps the list and becomes its newest. */
  private replace(node: Node, block: CachedBlock): void {
    const list = node.list;
    assert(list !== undefined && node.block !== undefined, 'a block that is replaced is cached');
    list.remove(node);
    this.insert(node, block, list, false);
  }

  /** Makes room, then adds; a node that is in no list. */
  private insert(node: Node, block: CachedBlock, list: List, fromB2: boolean): void {
    node.weight = block.sizeBytes;
    node.block = block;
    while (this.t1.bytes + this.t2.bytes + node.weight > this.capacityBytes) this.evict(fromB2);
    list.addNewest(node);
    while (this.t1.bytes + this.b1.bytes > this.capacityBytes) this.forget(this.b1.oldest);
    while (this.b1.bytes + this.b2.bytes > this.capacityBytes) this.forget(this.b2.oldest);
  }

  /** REPLACE of the paper: the oldest of T1 or T2 becomes a ghost. */
  private evict(fromB2: boolean): void {
    const { t1, t2, target } = this;
    const first = t1.length > 0 && (t1.bytes > target || (fromB2 && t1.bytes === target) || t2.length === 0);
    const node = first ? t1.oldest : t2.oldest;
    this.move(node, first ? this.b1 : this.b2);
    node.block = undefined;
    this.evictions++;
  }

  private move(node: Node, to: List): void {
    assert(node.list !== undefined, 'a node that moves is in a list');
    node.list.remove(node);
    to.addNewest(node);
  }

  private register(file: number, place: number): Node {
    let places = this.files.get(file);
    if (places === undefined) {
      places = new Map();
      this.files.set(file, places);
    }
    const node = new Node(file, place);
    places.set(place, node);
    return node;
  }

  private forget(node: Node): void {
    assert(node.list !== undefined, 'a node that is forgotten is in a list');
    node.list.remove(node);
    const places = this.files.get(node.file);
    assert(places !== undefined, 'a node is in the map of its file');
    places.delete(node.place);
    if (places.size === 0) this.files.delete(node.file);
  }

  /**
   * Looks at everything. Cost: linear in blocks and ghosts.
   * @throws LightningError `LIGHTNING_ASSERTION`
   */
  checkInvariants(): void {
    const { t1, t2, b1, b2, capacityBytes } = this;
    let nodes = 0;
    for (const list of [t1, t2, b1, b2]) {
      let bytes = 0;
      let length = 0;
      for (let node = list.head.newer; node !== list.head; node = node.newer) {
        assert(node.list === list && node.newer.older === node, 'a list is linked both ways');
        assert(this.files.get(node.file)?.get(node.place) === node, 'a node is found under its numbers');
        assert((node.block !== undefined) === (list === t1 || list === t2), 'ghosts hold no block, others one');
        assert(node.block === undefined || node.block.sizeBytes === node.weight, 'a block weighs what it weighed');
        bytes += node.weight;
        length++;
      }
      assert(bytes === list.bytes && length === list.length, 'a list knows its weight', list.bytes, bytes);
      nodes += length;
    }
    let known = 0;
    for (const places of this.files.values()) {
      assert(places.size > 0, 'a file in the map has a block or ghost');
      known += places.size;
    }
    assert(nodes === known, 'every node is in a list', nodes, known);
    assert(t1.bytes + t2.bytes <= capacityBytes, 'blocks stay inside the capacity', t1.bytes + t2.bytes, capacityBytes);
    assert(t1.bytes + b1.bytes <= capacityBytes, 'T1 and its ghosts stay inside the capacity', b1.bytes, capacityBytes);
    assert(b1.bytes + b2.bytes <= capacityBytes, 'ghosts stay inside the capacity', b2.bytes, capacityBytes);
    assert(this.target >= 0 && this.target <= capacityBytes, 'the target is a part of the capacity', this.target);
  }
}
