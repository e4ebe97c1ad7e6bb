/**
 * A store opened for reading only: nothing is created, deleted or written, whatever state it is in. A log that was not
 * closed is replayed in memory.
 *
 * The store's lock is held where the folder allows it, so that nobody writes meanwhile. Where it does not (a read-only
 * medium), the store is read without; `unlocked` says so.
 */
import { type Clock, systemClock } from '../../base/clock.ts';
import { errnoOf, LightningError } from '../../base/errors.ts';
import { Engine, type EngineOptions, type EngineStatistics, type ScanOptions } from '../../engine/index.ts';
import { LOCK_FILE } from '../../engine/file-names.ts';
import { storeExists } from '../../engine/recovery.ts';
import type { OpenReferences } from '../../vfs/references.ts';
import type { Vfs, VfsLock } from '../../vfs/vfs.ts';
import { WatchedVfs } from '../../vfs/watched-vfs.ts';
import { assert } from '../../base/assert.ts';
import { streamOf, type ValueStream } from '../blobs/blob-stream.ts';
import { BlobFiles } from '../blobs/blob-files.ts';
import { openLocation } from '../location.ts';
import { type Row, rowsOf, rowsOfAsync } from '../rows.ts';
import { OverlayVfs } from './overlay-vfs.ts';

/** See the head of the file. Close it. */
export class ReadOnlyDatabase implements AsyncDisposable {
  private readonly engine: Engine;
  private readonly blobs: BlobFiles;
  private readonly overlay: OverlayVfs;
  private readonly lock: VfsLock | undefined;

  private constructor(engine: Engine, blobs: BlobFiles, overlay: OverlayVfs, lock: VfsLock | undefined) {
    this.engine = engine;
    this.blobs = blobs;
    this.overlay = overlay;
    this.lock = lock;
  }

  /**
   * Opens the store in the folder `path`.
   * @throws (rejects) LightningError `LIGHTNING_NOT_FOUND`, `LIGHTNING_NOT_A_STORE`, `LIGHTNING_UNSUPPORTED_FORMAT`,
   *   `LIGHTNING_LOCKED` (a process has it open for writing), `LIGHTNING_CORRUPTION`, environment errors
   */
  static async open(path: string, options: Partial<EngineOptions> = {}): Promise<ReadOnlyDatabase> {
    return ReadOnlyDatabase.openOn(openLocation(path, false), options);
  }

  /** The same on files, and with a clock, that come from elsewhere. */
  static openOn(files: Vfs, options: Partial<EngineOptions> = {}, clock: Clock = systemClock): ReadOnlyDatabase {
    const vfs = new WatchedVfs(files, () => undefined);
    if (!storeExists(vfs)) throw new LightningError('LIGHTNING_NOT_FOUND', 'there is no store to read');
    const lock = lockIfPossible(vfs);
    const overlay = new OverlayVfs(vfs);
    try {
      let blobs: BlobFiles | undefined;
      const references: OpenReferences = (vfs, databaseId) => (blobs = new BlobFiles(vfs, databaseId));
      const engine = Engine.open({ vfs: overlay, clock, references }, { ...options, createIfMissing: false });
      assert(blobs !== undefined, 'an engine that is open has its references');
      return new ReadOnlyDatabase(engine, blobs, overlay, lock);
    } catch (error) {
      overlay.close();
      lock?.release();
      throw error;
    }
  }

  /** Whether a writer could change the files meanwhile: the lock could not be taken. */
  get unlocked(): boolean {
    return this.lock === undefined;
  }

  /** The last commit in it. */
  get sequence(): number {
    return this.engine.published;
  }

  /** The value of `key`; the caller owns the bytes. */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const stored = this.engine.find(key);
    return stored && this.blobs.valueOf(stored);
  }

  /** The value piece by piece. */
  async getStream(key: Uint8Array): Promise<ValueStream | undefined> {
    const stored = this.engine.find(key);
    return stored && streamOf(stored, this.blobs);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.engine.get(key);
  }

  /** Rows in key order. */
  scan(options: ScanOptions = {}): AsyncIterableIterator<Row> {
    return rowsOfAsync(() => this.engine.scan(options), this.blobs);
  }

  scanSync(options: ScanOptions = {}): IterableIterator<Row> {
    return rowsOf(() => this.engine.scan(options));
  }

  statistics(): EngineStatistics {
    return this.engine.statistics();
  }

  /** @throws (rejects) LightningError `LIGHTNING_READ_ONLY`, always */
  async put(): Promise<never> {
    throw new LightningError('LIGHTNING_READ_ONLY', 'the store was opened for reading only');
  }

  /** Lets go of everything. Calling it again does nothing. */
  closeSync(): void {
    if (this.engine.isClosed) return;
    this.engine.close();
    this.overlay.close();
    this.lock?.release();
  }

  async close(): Promise<void> {
    this.closeSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closeSync();
  }
}

/** The lock of a store that is read, where there is one and the folder allows it. @throws LightningError `LIGHTNING_LOCKED` when a writer holds it */
export function lockIfPossible(vfs: Vfs): VfsLock | undefined {
  // Taking a lock that is not there would create its file.
  if (vfs.kind(LOCK_FILE) !== 'file') return undefined;
  try {
    return vfs.lock(LOCK_FILE);
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
