/**
 * The complete store of crash campaigns: engine, indexes, transactions and backups, put together without the event loop.
 * What `Database` leaves to timers and promises is done here when the client says so, so that a program and a disk decide
 * everything.
 */
import { keyOfBytes } from '../../spec/executable/keys.ts';
import { type RecoveredMap } from '../../spec/executable/durable-prefix.ts';
import { type Clock, ManualClock } from '../base/clock.ts';
import type { Program } from '../contract/operations.ts';
import type { BackupReport } from '../database/backup/backup.ts';
import { FreezableVfs } from '../database/backup/frozen-vfs.ts';
import { backupOpenStore } from '../database/backup/online-backup.ts';
import type { Blobs } from '../database/blobs/blobs.ts';
import { openStore } from '../database/blobs/open-store.ts';
import { Indexes } from '../database/indexes.ts';
import { Transactions } from '../database/transactions.ts';
import { isLightningError } from '../base/errors.ts';
import { type Engine, type EngineOptions, type Observer, type WriteOperation } from '../engine/index.ts';
import { FolderVfs } from '../vfs/folder-vfs.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { WatchedVfs } from '../vfs/watched-vfs.ts';
import { INDEXES, isIndexKey } from './crash-indexes.ts';

/** Where programs begin, in milliseconds. */
export const CRASH_CLOCK_START = 1000;
/** The folder, beside the store's files, in which its backups are. */
export const BACKUP_FOLDER = 'backup';
/** Options of a program that are not the engine's. */
const OWN_OPTIONS: readonly string[] = ['indexes', 'blobBytes'];

/** The engine's options out of a program's. */
export function crashEngineOptions(program: Program): Partial<EngineOptions> {
  return Object.fromEntries(Object.entries(program.options).filter(([name]) => !OWN_OPTIONS.includes(name)));
}

/** Opens the engine on a disk, always the same way. @param clock where time comes from; by default it stands */
export function openEngine(
  vfs: Vfs,
  program: Program,
  observe: Observer,
  clock: Clock = new ManualClock(CRASH_CLOCK_START),
): Engine {
  return openWithBlobs(vfs, program, observe, clock).engine;
}

function openWithBlobs(vfs: Vfs, program: Program, observe: Observer, clock: Clock): { engine: Engine; blobs: Blobs } {
  const environment = { vfs, clock, observe, newDatabaseId: () => new Uint8Array(16).fill(7) };
  const blobBytes = program.options['blobBytes'];
  return openStore(environment, crashEngineOptions(program), typeof blobBytes === 'number' ? blobBytes : undefined);
}

/** Every row that the engine shows, without the entries of indexes. */
export function readAll(engine: Engine): RecoveredMap {
  const rows = new Map<string, Uint8Array>();
  const scan = engine.scan();
  while (scan.next()) {
    const key = keyOfBytes(scan.current.key());
    if (!isIndexKey(key)) rows.set(key, scan.current.value());
  }
  return rows;
}

const LIMITS = {
  transactionCountMax: 1000,
  transactionBytesMax: 2 ** 30,
  transactionAgeMillisecondsMax: 2 ** 40,
} as const;

/** An open store. */
export class CrashStore {
  readonly engine: Engine;
  private readonly blobs: Blobs;
  private readonly indexes: Indexes;
  private readonly files: FreezableVfs;
  private readonly folder: Vfs;
  private readonly clock: Clock;
  private begun: Transactions | undefined;

  /** @throws LightningError as `Database.openOn` does */
  constructor(vfs: Vfs, program: Program, observe: Observer, clock: Clock) {
    this.clock = clock;
    this.folder = vfs;
    this.files = new FreezableVfs(vfs);
    const { engine, blobs } = openWithBlobs(this.files, program, observe, clock);
    this.engine = engine;
    this.blobs = blobs;
    try {
      while (blobs.sweepSlice());
      this.indexes = new Indexes(this.engine, program.options['indexes'] === true ? INDEXES : [], (reference) =>
        blobs.files.read(reference),
      );
      this.indexes.buildMissing((operations) => {
        this.withRoom(() => this.engine.commit(operations));
        this.engine.sync();
      });
    } catch (error) {
      this.engine.close();
      throw error;
    }
  }

  /** Appends one commit with its index entries, after making room where there is none. */
  append(operations: readonly WriteOperation[]): void {
    if (!this.blobs.concerns(operations)) {
      this.withRoom(() => this.engine.commit(this.indexes.expand(operations)));
      return;
    }
    const written = this.blobs.write(operations);
    try {
      this.withRoom(() => {
        const sequence = this.engine.commit(written.operations(this.indexes.expand(operations)));
        this.blobs.made(written);
        return sequence;
      });
    } finally {
      this.blobs.settle(written);
    }
  }

  /** All transactions; their commits append, and leave the sync to the caller. */
  get transactions(): Transactions {
    this.begun ??= new Transactions(
      {
        engine: this.engine,
        indexes: this.indexes,
        blobs: this.blobs,
        commit: async (append) => void append(),
        commitSync: (append) => this.withRoom(append),
        settle: async () => this.engine.sync(),
        random: () => 0,
        onEnd: () => undefined,
      },
      LIMITS,
    );
    return this.begun;
  }

  private withRoom(append: () => number): void {
    for (;;) {
      try {
        append();
        return;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
        this.engine.step();
      }
    }
  }

  /** Begins a backup; whoever takes its slices may write between them. */
  backup(incremental: boolean): Generator<number, BackupReport> {
    const watched = new WatchedVfs(this.folder, () => undefined);
    if (watched.kind(BACKUP_FOLDER) === undefined) watched.makeDirectory(BACKUP_FOLDER);
    watched.syncDirectory('');
    const time = this.clock.now();
    return backupOpenStore(this.engine, this.files, new FolderVfs(this.folder, BACKUP_FOLDER), { incremental, time });
  }

  /** @throws LightningError as `Engine.close` does */
  close(): void {
    this.begun?.endAll();
    this.blobs.close();
    this.engine.close();
  }
}
