/**
 * Large values on their way into a store: each is written to a file of its own before the record that refers to it.
 *
 *   value → blob-<n> written → fsynced → its name fsynced → the commit that refers to it, in every durability
 *
 * Invariants
 *   1. A reference that the log holds names a file whose bytes and name are durable.
 *   2. A file belongs to one version of one key. It is deleted when its commit was not made, when a merge has dropped the
 *      version and its manifest is durable, or by the sweep (blob-sweep.ts), and never otherwise.
 *   3. Numbers are never used twice for what a version ever named: they come from the store's one counter, and the next
 *      one is beyond those of the manifest and of the folder.
 */
import { isLightningError, LightningError } from '../../base/errors.ts';
import type { Engine, WriteOperation } from '../../engine/index.ts';
import { VALUE_BYTES_MAX } from '../../engine/limits.ts';
import { BLOB_BYTES_PRESET, BLOB_SLICE_BYTES } from './blob-format.ts';
import { type BlobFiles, checkBlobLength, chunkBytesFor } from './blob-files.ts';
import { IncomingValue, type StreamOptions, type ValueSource } from './blob-stream.ts';
import { sweepBlobs } from './blob-sweep.ts';
import { BlobWriter } from './blob-writer.ts';
import { type Put, withoutShadowed, WrittenBlobs } from './written-blobs.ts';

/** So many bytes of blobs written, and a merge looks which of them nobody can read any more. */
const MERGE_AFTER_BYTES = 256 * 1024 * 1024;

export class Blobs {
  readonly files: BlobFiles;
  private readonly engine: Engine;
  private readonly blobBytes: number;
  private readonly chunkBytes: number;
  private readonly pending = new Set<WrittenBlobs>();
  private sinceMergeBytes = 0;
  /** What an unclean stop may have left, looked for slice by slice; `undefined` when there is nothing to look for. */
  sweep: Generator<number, number> | undefined;
  /** Why the sweep ended early: then nothing was deleted. */
  sweepError: unknown;

  /** @param blobBytes values above so many bytes become blobs */
  constructor(engine: Engine, files: BlobFiles, blobBytes: number = BLOB_BYTES_PRESET) {
    this.engine = engine;
    this.files = files;
    this.blobBytes = blobBytes;
    this.chunkBytes = chunkBytesFor(blobBytes);
    const left = engine.recovery.cleanlyClosed ? new Set<number>() : files.numbers();
    if (left.size > 0) this.sweep = sweepBlobs(engine, files, left);
  }

  /** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
  static checkOption(blobBytes: unknown): void {
    const isSound = typeof blobBytes === 'number' && Number.isInteger(blobBytes);
    if (isSound && blobBytes >= 1 && blobBytes <= VALUE_BYTES_MAX) return;
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `blobBytes is from 1 to ${VALUE_BYTES_MAX}`, { blobBytes });
  }

  isLarge(value: unknown): value is Uint8Array {
    return value instanceof Uint8Array && value.length > this.blobBytes;
  }

  /**
   * Whether any of these puts a large value. What is no list of operations does not: the engine refuses it.
   * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a reference that somebody else made
   */
  concerns(operations: readonly WriteOperation[]): boolean {
    if (!Array.isArray(operations)) return false;
    let isConcerned = false;
    for (const operation of operations as readonly (Partial<Put> | undefined)[]) {
      if (operation?.type !== 'put') continue;
      if (operation.isReference === true)
        throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'references are made by the store itself');
      isConcerned ||= this.isLarge(operation.value);
    }
    return isConcerned;
  }

  /** Writes the large values among these, durable when it returns. Settle what it gives. @throws LightningError; nothing is left then */
  write(operations: readonly WriteOperation[]): WrittenBlobs {
    const written = this.begin();
    try {
      const kept = withoutShadowed(operations);
      for (const put of kept) if (this.isPutOfLarge(put)) finishNow(this.writeOne(written, put));
      this.makeNamesDurable(written);
      return written;
    } catch (error) {
      this.settle(written);
      throw error;
    }
  }

  /** The same, the event loop between two slices; the caller leaves the bytes alone until then. */
  async writeInTurns(operations: readonly WriteOperation[]): Promise<WrittenBlobs> {
    const written = this.begin();
    try {
      for (const put of withoutShadowed(operations)) {
        if (!this.isPutOfLarge(put)) continue;
        const work = this.writeOne(written, put);
        for (let step = work.next(); step.done !== true; step = work.next()) {
          if (step.value instanceof BlobWriter) await step.value.syncAsync();
          else await nextTurn();
          this.refuseAfterClose(written);
        }
      }
      this.makeNamesDurable(written);
      return written;
    } catch (error) {
      this.settle(written);
      throw error;
    }
  }

  private makeNamesDurable({ writers }: WrittenBlobs): void {
    if (writers.length > 0) this.files.files.syncDirectory('');
  }

  /**
   * Writes a value that comes in pieces, durable when it resolves, and gives the put that stands for it.
   * @throws (rejects) LightningError; what the source throws. Settle `written` in any case
   */
  async writeStream(
    written: WrittenBlobs,
    key: Uint8Array,
    source: ValueSource,
    options: StreamOptions & { readonly deadline?: number; readonly signal?: AbortSignal },
  ): Promise<Put> {
    const { deadline, signal } = options;
    const incoming = new IncomingValue(options, this.blobBytes, () => this.createFor(written));
    for await (const piece of checkedSource(source)) {
      if (signal?.aborted === true)
        throw new LightningError(
          'LIGHTNING_ABORTED',
          'the signal ended the stream; nothing was written',
          {},
          signal.reason,
        );
      for (let step = incoming.take(piece); step.next().done !== true;) {
        await nextTurn();
        this.refuseAfterClose(written);
      }
    }
    const end = incoming.end();
    const due = deadline === undefined ? {} : { deadline };
    if (end instanceof Uint8Array) return { type: 'put', key, value: end, ...due };
    const value = end.seal();
    await end.syncAsync();
    this.refuseAfterClose(written);
    end.close();
    this.makeNamesDurable(written);
    return { type: 'put', key, value, isReference: true, ...due };
  }

  /** Begins to write blobs for one commit. */
  begin(): WrittenBlobs {
    const written = new WrittenBlobs();
    this.pending.add(written);
    return written;
  }

  /** A new file for a value of a commit. */
  createFor(written: WrittenBlobs): BlobWriter {
    const writer = this.files.create(this.engine.newFileNumber(), this.chunkBytes);
    written.writers.push(writer);
    return writer;
  }

  /** Yields bytes written, and the writer once, to be fsynced. */
  private *writeOne(written: WrittenBlobs, put: Put): Generator<number | BlobWriter, undefined> {
    checkBlobLength(put.value.length);
    const writer = this.createFor(written);
    for (let at = 0; at < put.value.length; at += BLOB_SLICE_BYTES) {
      const end = Math.min(put.value.length, at + BLOB_SLICE_BYTES);
      writer.write(put.value, at, end);
      yield end - at;
    }
    const value = writer.seal();
    yield writer;
    writer.close();
    written.references.set(put, { ...put, value, isReference: true });
    return undefined;
  }

  private isPutOfLarge(operation: WriteOperation): operation is Put {
    return operation.type === 'put' && operation.isReference !== true && this.isLarge(operation.value);
  }

  private refuseAfterClose(written: WrittenBlobs): void {
    if (!this.pending.has(written))
      throw new LightningError('LIGHTNING_CLOSED', 'the store was closed; nothing was written');
    this.engine.commit([]);
  }

  /** The commit has been made. To be called at once, so that nothing takes its files away. */
  made(written: WrittenBlobs): void {
    written.isMade = true;
    for (const { length } of written.writers) {
      this.files.counts.written++;
      this.files.counts.writtenBytes += length;
      this.sinceMergeBytes += length;
    }
  }

  /** Ends a commit, whatever came of it: files of one that was not made go. After a failed write nobody knows, and they stay. */
  settle(written: WrittenBlobs): void {
    if (!this.pending.delete(written) || written.isMade) return;
    if (this.engine.isClosed || this.engine.poison !== undefined) {
      for (const writer of written.writers) writer.release();
      return;
    }
    for (const writer of written.writers) writer.abandon();
  }

  /** Whether so much has been written that a merge should look what can go. Asking begins to count anew. */
  takeMergeDue(): boolean {
    if (this.sinceMergeBytes < MERGE_AFTER_BYTES) return false;
    this.sinceMergeBytes = 0;
    return true;
  }

  /** One slice of the sweep. Returns whether more waits. */
  sweepSlice(): boolean {
    try {
      if (this.sweep?.next().done === true) this.sweep = undefined;
    } catch (error) {
      if (!isLightningError(error)) throw error;
      this.sweep = undefined;
      this.sweepError = error;
    }
    return this.sweep !== undefined;
  }

  /** Before the engine closes: ends the sweep, and takes away what is being written. */
  close(): void {
    if (this.engine.isClosed) return;
    if (this.engine.poison === undefined) while (this.sweepSlice());
    for (const written of this.pending) this.settle(written);
    if (this.engine.poison === undefined) this.syncNames();
  }

  private syncNames(): void {
    try {
      this.files.syncNames();
    } catch (error) {
      // The store is poisoned by it, so it is not closed cleanly, and the next opening looks for what is left.
      if (!isLightningError(error)) throw error;
    }
  }

  /** Resolves when nothing is being written. */
  async drained(): Promise<void> {
    while (this.pending.size > 0) await nextTurn();
  }
}

function finishNow(work: Generator<number | BlobWriter, undefined>): void {
  for (let step = work.next(); step.done !== true; step = work.next()) {
    if (step.value instanceof BlobWriter) step.value.sync();
  }
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what gives no pieces */
function checkedSource(source: unknown): AsyncIterable<unknown> {
  const isIterable =
    typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || Symbol.iterator in source);
  if (isIterable && !(source instanceof Uint8Array)) return source as AsyncIterable<unknown>;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a value comes from something that gives Uint8Arrays in turn');
}

/** Resolves when others have had their turn. */
export async function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
