/**
 * The write-ahead log of an open store: append, sync groups, rotation. Rotation is freezing: a segment is fsynced, its
 * successor made durable and named by the manifest, and only then written to. A sync group never spans segments.
 */
import { assert } from '../base/assert.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';
import { walFileName } from './file-names.ts';
import { Memtable, RANGE_TOMBSTONES_MAX } from './memtable.ts';
import type { Store } from './store.ts';
import type { FileNumber, Sequence } from './types.ts';
import { encodeSegmentHeader, type SegmentIdentity, WalWriter } from './wal-writer.ts';
import { WAL_HEADER_BYTES } from './wal-format.ts';
import { removeQuietly } from '../vfs/watched-vfs.ts';
import type { WriteOperation } from './write-operation.ts';

/** An fsync on its way; everything up to `sequence` is durable once it has succeeded. */
export interface SyncTicket {
  readonly wal: WalWriter;
  readonly sequence: Sequence;
}

/** A segment with fsyncs on their way stays open until the last ends, even after rotation or close. */
interface SyncsUnderWay {
  count: number;
  closeWanted: boolean;
}

const syncsUnderWay = new WeakMap<WalWriter, SyncsUnderWay>();

function syncsOf(wal: WalWriter): SyncsUnderWay {
  let syncs = syncsUnderWay.get(wal);
  if (syncs === undefined) {
    syncs = { count: 0, closeWanted: false };
    syncsUnderWay.set(wal, syncs);
  }
  return syncs;
}

/** Whether the active memtable must be frozen before the next commit. */
export function memtableIsFull(store: Store): boolean {
  const { active, options } = store;
  return active.sizeBytes >= options.memtableBytes || active.rangeTombstones.length >= RANGE_TOMBSTONES_MAX;
}

/** Appends one commit: WAL record, then memtable, hidden above `published` in durability `commit`. */
export function append(store: Store, operations: readonly WriteOperation[]): Sequence {
  const sequence = (store.written + 1) as Sequence;
  store.wal.append(operations, sequence, store.durable, store.active);
  store.written = sequence;
  store.version++;
  store.observe('append', sequence);
  if (store.options.durability !== 'commit') store.publish(sequence);
  return sequence;
}

/** Makes everything written so far durable and readable. Blocks for one fdatasync, if anything is pending. */
export function syncNow(store: Store): void {
  if (store.durable === store.written) return;
  const target = store.written;
  store.wal.file.sync();
  finishSync(store, target);
}

/** Begins an fsync that overlaps other work; `undefined` when nothing is pending. */
export function syncBegin(store: Store): SyncTicket | undefined {
  if (store.durable === store.written) return undefined;
  const { wal } = store;
  syncsOf(wal).count++;
  return { wal, sequence: store.written };
}

/** Ends it. A failure has poisoned the store already (watched-vfs.ts). */
export function syncEnd(store: Store, ticket: SyncTicket, error: unknown): void {
  const syncs = syncsOf(ticket.wal);
  assert(syncs.count > 0, 'a sync ends once');
  syncs.count--;
  if (syncs.count === 0 && syncs.closeWanted) ticket.wal.file.close();
  if (error === undefined && store.poison === undefined) finishSync(store, ticket.sequence);
}

function finishSync(store: Store, sequence: Sequence): void {
  if (sequence > store.durable) store.durable = sequence;
  store.observe('sync', sequence);
  store.publish(sequence);
}

/** Closes a segment's file unless an fsync is on its way; then its end closes it. */
export function closeSegment(wal: WalWriter): void {
  const syncs = syncsOf(wal);
  if (syncs.count === 0) wal.file.close();
  else syncs.closeWanted = true;
}

/**
 * Freezes the active memtable with its segment and begins new ones. Nothing happens when it is empty.
 * @throws LightningError; the store goes on with the old segment unless it is poisoned
 */
export function freeze(store: Store): void {
  if (store.active.isEmpty) return;
  syncNow(store);
  assert(store.published === store.written, 'a memtable is frozen only when all of it is published');
  const old = store.wal;
  const identity = { ...old.identity, fileNumber: store.newFileNumber() };
  const wal = createSegment(store.vfs, identity, store.written);
  const sealed = { length: old.position, lastSequence: store.written };
  const segments = store.manifest.segments.map((s) =>
    s.fileNumber === old.identity.fileNumber ? { ...s, sealed } : s,
  );
  const next = { fileNumber: identity.fileNumber, firstSequence: (store.written + 1) as Sequence, sealed: undefined };
  try {
    store.swap({ segments: [...segments, next] });
  } catch (error) {
    wal.file.close();
    store.deleteFile(walFileName(identity.fileNumber));
    throw error;
  }
  store.frozen.push({ memtable: store.active, segment: old.identity.fileNumber, lastSequence: store.written });
  store.active = new Memtable();
  store.wal = wal;
  store.version++;
  closeSegment(old);
  store.observe('freeze', old.identity.fileNumber);
}

/** Makes an empty segment, durable with its name. On failure nothing is left, or garbage that the next opening removes. */
export function createSegment(vfs: Vfs, identity: SegmentIdentity, durable: Sequence): WalWriter {
  const file = createSegmentFile(vfs, identity.fileNumber, encodeSegmentHeader(identity, durable));
  return new WalWriter(file, identity, WAL_HEADER_BYTES, durable);
}

/** Creates a segment with this content, fsynced, its name too. */
export function createSegmentFile(vfs: Vfs, fileNumber: FileNumber, content: Uint8Array): VfsFile {
  const name = walFileName(fileNumber);
  const file = vfs.open(name, 'create');
  try {
    file.write(content, 0, content.length, 0);
    file.sync();
    vfs.syncDirectory('');
    return file;
  } catch (error) {
    file.close();
    removeQuietly(vfs, name);
    throw error;
  }
}
