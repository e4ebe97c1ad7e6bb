/** What the tests of the tree share: files in memory, a sorted list as a cursor, and a store of one tree. */
import { compareBytes, fromText } from '../base/bytes.ts';
import { LightningError } from '../base/errors.ts';
import type { OpenMode, Vfs, VfsFile } from '../vfs/vfs.ts';
import type { BlockCache, CachedBlock } from '../base/block-cache.ts';
import { compareInternal, Cursor } from './cursor.ts';
import { FreeMap, type FreeMapBuild } from '../base/free-map.ts';
import type { Retention } from './retention.ts';
import { type NodeReference, TREE_FILE_NUMBER, type TreeFile, type TreeRoot } from './tree-format.ts';
import { mergeTree, type TreeMergeInput, type TreeMergeResult } from './tree-merge.ts';
import { createTreeFile } from './tree-file.ts';
import { readFreeMap } from './tree.ts';
import { TreeReader } from './tree-reader.ts';
import { checkTree, findingsOf, type TreeCheckResult } from '../database/verify/tree-check.ts';
import { zeroFreeBlocks } from './free-blocks.ts';
import { asGeneration, asSequence, type Kind, NO_DEADLINE, type RangeTombstone, type Sequence } from './types.ts';

/** A file in memory. */
export class MemoryFile implements VfsFile {
  bytes = new Uint8Array(0);
  writeCount = 0;

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const piece = this.bytes.subarray(position, position + length);
    target.set(piece, offset);
    return piece.length;
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    if (position + length > this.bytes.length) this.truncate(position + length);
    this.bytes.set(source.subarray(offset, offset + length), position);
    this.writeCount++;
  }

  truncate(sizeBytes: number): void {
    const kept = this.bytes.subarray(0, sizeBytes);
    this.bytes = new Uint8Array(sizeBytes);
    this.bytes.set(kept);
  }

  size(): number {
    return this.bytes.length;
  }

  sync(): void {}
  syncAsync(done: (error: unknown) => void): void {
    queueMicrotask(() => done(undefined));
  }
  close(): void {}
}

/** Files by name, for what is opened by path. */
export class MemoryVfs implements Vfs {
  readonly files = new Map<string, MemoryFile>();

  open(path: string, mode: OpenMode): VfsFile {
    const found = this.files.get(path);
    if ((found === undefined) !== (mode === 'create')) {
      throw Object.assign(new Error(path), { code: found === undefined ? 'ENOENT' : 'EEXIST' });
    }
    const file = found ?? new MemoryFile();
    this.files.set(path, file);
    return file;
  }

  rename(): void {
    throw new LightningError('LIGHTNING_HARNESS', 'not in this test');
  }
  unlink(path: string): void {
    this.files.delete(path);
  }
  list(): string[] {
    return [...this.files.keys()].sort();
  }
  kind(path: string): 'file' | undefined {
    return this.files.has(path) ? 'file' : undefined;
  }
  makeDirectory(): void {}
  syncDirectory(): void {}
  lock(): never {
    throw new LightningError('LIGHTNING_HARNESS', 'not in this test');
  }
}

/** Keeps everything. */
export class MapCache implements BlockCache {
  readonly blocks = new Map<number, CachedBlock>();
  get(_file: number, place: number): CachedBlock | undefined {
    return this.blocks.get(place);
  }
  put(_file: number, place: number, block: CachedBlock): void {
    this.blocks.set(place, block);
  }
  remove(_file: number, place: number): void {
    this.blocks.delete(place);
  }
}

/** A version as a plain value. */
export interface Row {
  readonly key: Uint8Array;
  readonly sequence: Sequence;
  readonly kind: Kind;
  readonly deadline: number;
  readonly value: Uint8Array;
}

/** Internal order. */
export function compareRows(a: Row, b: Row): number {
  return compareBytes(a.key, b.key) || b.sequence - a.sequence;
}

/** A sorted list as a cursor. */
export class RowCursor extends Cursor {
  private readonly rows: readonly Row[];
  private index = 0;

  /** @param rows in internal order */
  constructor(rows: readonly Row[]) {
    super();
    this.rows = rows;
  }

  private go(index: number): void {
    this.index = index;
    const row = this.rows[index] as Row | undefined;
    this.valid = row !== undefined;
    if (row === undefined) return;
    this.bytes = new Uint8Array(row.key.length + row.value.length);
    this.bytes.set(row.key);
    this.bytes.set(row.value, row.key.length);
    this.keyStart = 0;
    this.keyEnd = row.key.length;
    this.valueEnd = this.bytes.length;
    this.sequence = row.sequence;
    this.kind = row.kind;
    this.deadline = row.deadline;
  }

  private find(key: Uint8Array, sequence: Sequence): number {
    const at = this.rows.findIndex(
      (row) => compareInternal(row.key, 0, row.key.length, row.sequence, key, 0, key.length, sequence) >= 0,
    );
    return at < 0 ? this.rows.length : at;
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    this.go(this.find(key, sequence));
  }
  override seekBefore(key: Uint8Array, sequence: Sequence): void {
    this.go(this.find(key, sequence) - 1);
  }
  override first(): void {
    this.go(0);
  }
  override last(): void {
    this.go(this.rows.length - 1);
  }
  override next(): void {
    this.go(this.index + 1);
  }
  override previous(): void {
    this.go(this.index - 1);
  }
}

/** The version a cursor stands on, copied. */
export function rowOf(cursor: Cursor): Row {
  const { sequence, kind, deadline } = cursor;
  return { key: new Uint8Array(cursor.key()), sequence, kind, deadline, value: new Uint8Array(cursor.value()) };
}

/** The id of every store in these tests. */
export const databaseId = fromText('0123456789abcdef');

/** A merge whose blocks come from a free map. */
export interface TestMergeInput extends TreeMergeInput {
  readonly blocks: FreeMapBuild;
}

/** One tree with its file, its map and its cache. */
export class TreeStore {
  readonly vfs = new MemoryVfs();
  readonly tree: TreeFile;
  readonly file: MemoryFile;
  readonly nodeTargetBytes: number;
  private readonly cache = new MapCache();
  root: TreeRoot | undefined;
  footer: NodeReference | undefined;
  map = FreeMap.ofEmptyFile();
  generation = 1;

  constructor(blockSizeBytes: number, nodeTargetBytes: number) {
    const header = { databaseId, fileNumber: TREE_FILE_NUMBER, blockSizeBytes, nodeTargetBytes };
    this.tree = createTreeFile(this.vfs, 'tree.db', header);
    this.file = this.vfs.files.get('tree.db') ?? new MemoryFile();
    this.nodeTargetBytes = nodeTargetBytes;
  }

  input(rows: readonly Row[], rangeTombstones: readonly RangeTombstone[], retention: Retention): TestMergeInput {
    return {
      tree: this.tree,
      nodeTargetBytes: this.nodeTargetBytes,
      compression: 'none',
      generation: asGeneration(this.generation + 1),
      blocks: this.map.begin(),
      root: this.root,
      footer: this.footer,
      source: new RowCursor(rows),
      rangeTombstones,
      retention,
    };
  }

  get reader(): TreeReader {
    return new TreeReader(this.tree, this.root, this.cache);
  }

  /** Merges and takes the result over. */
  merge(rows: readonly Row[], tombstones: readonly RangeTombstone[], retention: Retention): TreeMergeResult {
    return this.run(this.input(rows, tombstones, retention));
  }

  run(input: TestMergeInput): TreeMergeResult {
    const result = drain(mergeTree(input));
    this.root = result.root;
    this.footer = result.footer;
    this.map = input.blocks.commit();
    this.generation++;
    return result;
  }

  check(cleanlyClosed = false): TreeCheckResult {
    const { tree, root, map, footer } = this;
    const others = footer === undefined ? [] : [footer];
    const ofMap = drain(
      findingsOf(function* () {
        for (const one of others) yield readFreeMap(tree, one, map.blockCount).blockCount;
        return [];
      }),
    );
    const rest = { isBalanced: true, others, judge: () => undefined };
    const result = drain(checkTree({ tree, databaseId, root, map, cleanlyClosed, ...rest }));
    return { ...result, findings: [...ofMap, ...result.findings] };
  }

  close(): void {
    zeroFreeBlocks(this.file, this.map, this.tree.blockSizeBytes);
  }

  /** All versions, from the first to the last. */
  rows(): Row[] {
    const rows: Row[] = [];
    const cursor = this.reader.cursor({ bypassCache: true });
    for (cursor.first(); cursor.valid; cursor.next()) rows.push(rowOf(cursor));
    return rows;
  }
}

/** Runs a sliced piece of work to its end. */
export function drain<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** A row with little to write. */
export function row(key: string, sequence: number, kind: Kind, value = '', deadline = NO_DEADLINE): Row {
  return { key: fromText(key), sequence: asSequence(sequence), kind, deadline, value: fromText(value) };
}
