/**
 * The write-ahead log of an open store: append, sync groups, rotation. Rotation is freezing: a segment is fsynced, its
 * successor made durable and named by the manifest, and only then written to. A sync group never spans segments.
 */
import { assert } from '../base/assert.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { walFileName } from './file-names.ts';
import type { SegmentState } from './manifest-format.ts';
import { Memtable, RANGE_TOMBSTONES_MAX } from './memtable.ts';
import type { Store } from './store.ts';
import { asSequence, type Sequence } from './types.ts';
import type { SegmentIdentity } from './wal-reader.ts';
import { encodeSegmentHeader, WalWriter } from './wal-writer.ts';
import { createWholeFile } from '../vfs/watched-vfs.ts';
import type { WriteOperation } from './write-operation.ts';

/** An fsync on its way; everything up to `sequence` is durable once it has succeeded. */
export interface SyncTicket {
  readonly wal: WalWriter;
  readonly sequence: Sequence;
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
  store.wal.retain();
  return { wal: store.wal, sequence: store.written };
}

/** Ends it. A failure has poisoned the store already (watched-vfs.ts). */
export function syncEnd(store: Store, ticket: SyncTicket, error: unknown): void {
  ticket.wal.release();
  if (error === undefined && store.poison === undefined) finishSync(store, ticket.sequence);
}

function finishSync(store: Store, sequence: Sequence): void {
  if (sequence > store.durable) store.durable = sequence;
  store.observe('sync', sequence);
  store.publish(sequence);
}

/** The manifest's segments, all of them sealed: the active one as it ends now. */
export function sealedSegments({ manifest, wal, written }: Store): SegmentState[] {
  const sealed = { length: wal.position, lastSequence: written };
  return manifest.segments.map((segment) => (segment.sealed === undefined ? { ...segment, sealed } : segment));
}

/**
 * Freezes the active memtable with its segment and begins new ones. Nothing happens when it is empty.
 * @throws LightningError; the store goes on with the old segment unless it is poisoned
 */
export function freeze(store: Store): void {
  if (store.active.isEmpty) return;
  syncNow(store);
  assert(store.published === store.written, 'a memtable is frozen only when all of it is published');
  const { wal: old, written } = store;
  const identity = { ...old.identity, fileNumber: store.newFileNumber() };
  const wal = createSegment(store.vfs, identity, encodeSegmentHeader(identity, written), written);
  const next = { fileNumber: identity.fileNumber, firstSequence: asSequence(written + 1), sealed: undefined };
  try {
    store.swap({ segments: [...sealedSegments(store), next] });
  } catch (error) {
    wal.release();
    store.deleteFile(walFileName(identity.fileNumber));
    throw error;
  }
  store.frozen = [...store.frozen, store.active];
  store.active = new Memtable();
  store.wal = wal;
  store.version++;
  old.release();
  store.observe('freeze', old.identity.fileNumber);
}

/**
 * Makes a segment with this content (header, and whole records up to `lastSequence`), durable with its name. On failure
 * nothing is left, or garbage that the next opening removes.
 */
export function createSegment(
  vfs: Vfs,
  identity: SegmentIdentity,
  content: Uint8Array,
  lastSequence: Sequence,
): WalWriter {
  const file = createWholeFile(vfs, walFileName(identity.fileNumber), content, true);
  return new WalWriter(file, identity, content.length, lastSequence);
}
