/** A frozen view of a database. */
import { LightningError } from '../base/errors.ts';
import { streamOf, type ValueStream } from './blobs/blob-stream.ts';
import type { BlobFiles } from './blobs/blob-files.ts';
import type { Engine, ScanOptions, SnapshotView } from '../engine/index.ts';
import type { Handles } from './handles.ts';
import type { Indexes } from './indexes.ts';
import { type AsyncScanOptions, type Row, rowsOf, rowsOfAsync } from './rows.ts';

export class Snapshot implements Disposable {
  private readonly engine: Engine;
  private readonly blobs: BlobFiles;
  private readonly indexes: Indexes;
  private readonly onRelease: () => void;
  private readonly unwatch: () => void;
  private view: SnapshotView | undefined;

  /** @param onRelease called when versions may have become free */
  constructor(engine: Engine, blobs: BlobFiles, indexes: Indexes, handles: Handles, onRelease: () => void) {
    const view = engine.openSnapshot();
    this.engine = engine;
    this.blobs = blobs;
    this.indexes = indexes;
    this.onRelease = onRelease;
    this.view = view;
    this.unwatch = handles.watch(this, 'snapshot', () => {
      engine.releaseSnapshot(view);
      onRelease();
    });
  }

  /** Whether it is one of the store that `engine` has open. */
  isOf(engine: Engine): boolean {
    return engine === this.engine;
  }

  /** The last commit that it sees. */
  get sequence(): number {
    return this.live().sequence;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const stored = this.engine.find(key, this.live());
    return stored && this.blobs.valueOf(stored);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.engine.get(key, this.live());
  }

  /** The value piece by piece; it may be read to its end after the snapshot was released. */
  async getStream(key: Uint8Array): Promise<ValueStream | undefined> {
    const stored = this.engine.find(key, this.live());
    return stored && streamOf(stored, this.blobs);
  }

  scan({ signal, ...options }: AsyncScanOptions = {}): AsyncIterableIterator<Row> {
    return rowsOfAsync(() => this.engine.scan(this.indexes.rowScan(options), this.live()), this.blobs, signal);
  }

  scanSync(options: ScanOptions = {}): IterableIterator<Row> {
    return rowsOf(() => this.engine.scan(this.indexes.rowScan(options), this.live()));
  }

  /** Index entries included. */
  scanAll(options: ScanOptions): IterableIterator<Row> {
    return rowsOf(() => this.engine.scan(options, this.live()));
  }

  get hasOwnWrites(): boolean {
    return false;
  }

  /** Lets go of the versions that it pins. Calling it again does nothing. */
  release(): void {
    if (this.view === undefined) return;
    this.unwatch();
    this.engine.releaseSnapshot(this.view);
    this.view = undefined;
    this.onRelease();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  private live(): SnapshotView {
    if (this.view === undefined)
      throw new LightningError('LIGHTNING_SNAPSHOT_CLOSED', 'the snapshot has been released');
    return this.view;
  }
}
